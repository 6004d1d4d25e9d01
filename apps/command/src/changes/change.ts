/** A step of a command as operators watch it: its place in the order of all steps, and whom it is for. */
import type { CommandState } from '@outrider/contracts';
import { CommandId, DeviceId } from '@outrider/ids';
import { z } from 'zod';

/** Where in the order of steps: the transaction that made it visible, and its number. Both bigints, as text. */
export interface Position {
  readonly txid: string;
  readonly id: string;
}

export interface Change extends Position {
  readonly command_id: CommandId;
  readonly device_id: DeviceId;
  readonly name: string;
  readonly state: CommandState;
  readonly at: Date;
  readonly reason: string | null;
  readonly policies: readonly string[] | null;
  readonly requested_by: string;
  readonly batch_id: string | null;
}

/** Absent: of all. */
export const ChangeQuery = z.strictObject({
  device: DeviceId.optional(),
  command: CommandId.optional(),
  batch: z.uuid().optional(),
  requested_by: z.string().max(128).optional(),
});
export type ChangeQuery = z.infer<typeof ChangeQuery>;

/** The event id of a change; a stream goes on behind it. */
export function eventIdOf({ txid, id }: Position): string {
  return `${txid}-${id}`;
}

/** Undefined for what is no event id of ours. */
export function positionOf(eventId: string): Position | undefined {
  const [, txid, id] = /^(\d{1,19})-(\d{1,18})$/.exec(eventId) ?? [];
  return txid !== undefined && id !== undefined ? { txid, id } : undefined;
}

export function isFor(change: Change, { device, command, batch, requested_by }: ChangeQuery): boolean {
  return (
    (device === undefined || change.device_id === device) &&
    (command === undefined || change.command_id === command) &&
    (batch === undefined || change.batch_id === batch) &&
    (requested_by === undefined || change.requested_by === requested_by)
  );
}

/** The document of a `change` event. */
export function changeDocument({
  command_id,
  device_id,
  name,
  state,
  at,
  reason,
  policies,
  requested_by,
  batch_id,
}: Change) {
  return {
    command_id,
    device_id,
    name,
    state,
    at: at.toISOString(),
    ...(reason ? { reason } : {}),
    ...(policies ? { policies } : {}),
    requested_by,
    ...(batch_id ? { batch: batch_id } : {}),
  };
}
