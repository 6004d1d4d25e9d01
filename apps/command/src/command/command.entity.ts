import type { CommandState } from '@outrider/contracts';
import type { CommandId, DeviceId } from '@outrider/ids';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Command, RequestedAs } from './command.js';

/** The row of a command. `position` orders a device's commands as they were accepted. */
@Entity('commands')
export class CommandRow implements Command {
  @PrimaryColumn('uuid') id!: CommandId;
  @Column('text', { name: 'device_id' }) deviceId!: DeviceId;
  @Column({ type: 'bigint', insert: false, update: false }) position!: string;
  @Column('text') name!: string;
  @Column('jsonb') parameters!: Record<string, unknown>;
  @Column('boolean') critical!: boolean;
  @Column('text') state!: CommandState;
  @Column('text', { name: 'requested_by' }) requestedBy!: string;
  @Column('jsonb', { name: 'requested_as', nullable: true }) requestedAs!: RequestedAs | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
  @Column('timestamptz', { name: 'expires_at' }) expiresAt!: Date;
  @Column('timestamptz', { name: 'not_before', nullable: true }) notBefore!: Date | null;
  @Column('uuid', { name: 'batch_id', nullable: true }) batchId!: string | null;
  @Column('integer', { name: 'timeout_seconds' }) timeoutSeconds!: number;
  @Column('text', { nullable: true }) nonce!: string | null;
  @Column('text', { nullable: true }) jws!: string | null;
  @Column('timestamptz', { name: 'released_at', nullable: true }) releasedAt!: Date | null;
  @Column('timestamptz', { name: 'resolved_at', nullable: true }) resolvedAt!: Date | null;
  @Column('text', { nullable: true }) reason!: string | null;
}
