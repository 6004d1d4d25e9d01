import type { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { CertificateStatus } from './certificate.js';

@Entity({ name: 'certificates' })
export class CertificateRow {
  @PrimaryColumn({ type: 'text' })
  thumbprint!: Thumbprint;

  @Column({ name: 'device_id', type: 'text' })
  deviceId!: DeviceId;

  @Column({ name: 'issuer_key_id', type: 'text' })
  issuerKeyId!: string;

  @Column({ name: 'serial_number', type: 'text' })
  serialNumber!: SerialNumber;

  @Column({ name: 'key_thumbprint', type: 'text' })
  keyThumbprint!: string;

  @Column({ name: 'not_before', type: 'timestamptz' })
  notBefore!: Date;

  @Column({ name: 'not_after', type: 'timestamptz' })
  notAfter!: Date;

  @Column({ type: 'bytea' })
  der!: Buffer;

  @Column({ type: 'text' })
  status!: CertificateStatus;

  @Column({ name: 'asked_by', type: 'text' })
  askedBy!: Thumbprint;

  @Column({ type: 'text' })
  operation!: 'enrol' | 're-enrol';

  @Column({ type: 'text' })
  label!: string;

  @Column({ name: 'csr_sha256', type: 'text', nullable: true })
  csrSha256!: string | null;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @Column({ name: 'first_seen_at', type: 'timestamptz', nullable: true })
  firstSeenAt!: Date | null;

  @Column({ name: 'overlap_ends_at', type: 'timestamptz', nullable: true })
  overlapEndsAt!: Date | null;

  @Column({ name: 'superseded_by', type: 'text', nullable: true })
  supersededBy!: Thumbprint | null;

  @Column({ name: 'superseded_at', type: 'timestamptz', nullable: true })
  supersededAt!: Date | null;

  @Column({ name: 'revoked_at', type: 'timestamptz', nullable: true })
  revokedAt!: Date | null;

  @Column({ name: 'revocation_reason', type: 'text', nullable: true })
  revocationReason!: string | null;

  /** Up to when no hold stands of it: one that is told of late is over. */
  @Column({ name: 'released_at', type: 'timestamptz', nullable: true })
  releasedAt!: Date | null;
}
