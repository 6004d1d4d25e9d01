import type { DeviceId, Thumbprint } from '@outrider/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What is asked of fleet-ca, kept before it is asked: the same id again gets the same certificate, whoever crashed in between. */
@Entity({ name: 'signing_requests' })
export class SigningRequestRow {
  @PrimaryColumn({ name: 'request_id', type: 'uuid' })
  requestId!: string;

  @Column({ name: 'device_id', type: 'text' })
  deviceId!: DeviceId;

  @Column({ name: 'key_thumbprint', type: 'text' })
  keyThumbprint!: string;

  @Column({ name: 'asked_by', type: 'text' })
  askedBy!: Thumbprint;

  @Column({ type: 'text' })
  operation!: 'enrol' | 're-enrol';

  @Column({ type: 'bytea' })
  csr!: Buffer;

  @Column({ name: 'lifetime_seconds', type: 'integer' })
  lifetimeSeconds!: number;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  /** The certificate that came of it; null: not answered yet. */
  @Column({ type: 'text', nullable: true })
  thumbprint!: Thumbprint | null;
}
