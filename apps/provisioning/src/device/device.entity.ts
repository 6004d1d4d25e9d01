import type { DeviceState, Grant } from '@outrider/contracts';
import type { DeviceId } from '@outrider/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Hold } from '../lifecycle/lifecycle.js';

@Entity({ name: 'devices' })
export class DeviceRow {
  @PrimaryColumn({ name: 'device_id', type: 'text' })
  deviceId!: DeviceId;

  @Column({ type: 'text' })
  manufacturer!: string;

  /** The X.520 serialNumber of the factory certificate's subject. */
  @Column({ name: 'serial_number', type: 'text' })
  serialNumber!: string;

  @Column({ type: 'text', nullable: true })
  vin!: string | null;

  /** Model, revision: the operator's own words. */
  @Column({ type: 'text', nullable: true })
  hardware!: string | null;

  @Column({ type: 'text', array: true })
  labels!: string[];

  @Column({ type: 'text', array: true })
  grants!: Grant[];

  @Column({ type: 'text' })
  state!: DeviceState;

  /** Why it is quarantined. */
  @Column({ type: 'text', array: true })
  holds!: Hold[];

  /** Where it goes back to from quarantine. */
  @Column({ type: 'text', nullable: true })
  resumes!: 'registered' | 'active' | null;

  @Column({ name: 'in_workshop', type: 'boolean' })
  inWorkshop!: boolean;

  @Column({ type: 'text' })
  attestation!: 'none' | 'hardware';

  @Column({ name: 'min_epoch', type: 'integer' })
  minEpoch!: number;

  /** Grows by one with each change that others see. */
  @Column({ type: 'integer' })
  version!: number;

  /** Of the last block or unblock heard: an older one that comes late changes nothing. */
  @Column({ name: 'block_changed_at', type: 'timestamptz', nullable: true })
  blockChangedAt!: Date | null;

  /** Of the last revocation heard, by revocation's clock. */
  @Column({ name: 'revoked_at', type: 'timestamptz', nullable: true })
  revokedAt!: Date | null;

  /** Revocations up to this one an approved order has undone: heard again, they change nothing. */
  @Column({ name: 'revocation_recovered_up_to', type: 'timestamptz', nullable: true })
  revocationRecoveredUpTo!: Date | null;

  /** When an approved order last gave the device its way back: certificates of before are no obstacle any more. */
  @Column({ name: 'recovered_at', type: 'timestamptz', nullable: true })
  recoveredAt!: Date | null;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @Column({ name: 'changed_at', type: 'timestamptz' })
  changedAt!: Date;
}
