import type { DeviceState, Grant } from '@outrider/contracts';
import type { DeviceId } from '@outrider/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';

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

  @Column({ type: 'text', array: true })
  labels!: string[];

  @Column({ type: 'text', array: true })
  grants!: Grant[];

  @Column({ type: 'text' })
  state!: DeviceState;

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

  /** A retired device: when revocation took its id onto the denylist. */
  @Column({ name: 'denied_at', type: 'timestamptz', nullable: true })
  deniedAt!: Date | null;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @Column({ name: 'changed_at', type: 'timestamptz' })
  changedAt!: Date;
}
