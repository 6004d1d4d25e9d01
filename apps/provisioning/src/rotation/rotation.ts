/** A rotation: every selected vehicle renews now, in waves. What an operator sends and sees of it, and how far it is. */
import { DeviceId } from '@outrider/ids';
import { z } from 'zod';
import { LabelName } from '../label/label.js';

const WEEK_SECONDS = 7 * 86_400;
const MOST_WAVES = 1000;
/** A wave a minute, unless the operator says otherwise. */
const WAVE_SECONDS = 60;

/** `label`: of devices in the registry; `est_label`: their certificates were issued under it. Neither of them needs `all: true`. */
export const RotationBody = z
  .strictObject({
    label: z.string().min(1).max(63).optional(),
    est_label: LabelName.optional(),
    all: z.literal(true).optional(),
    within_seconds: z.int().min(10).max(WEEK_SECONDS),
    reason: z.string().trim().min(1).max(500),
    waves: z.int().min(1).max(MOST_WAVES).optional(),
  })
  .refine(({ label, est_label, all }) => (label === undefined && est_label === undefined) === (all === true), {
    error: 'give `label`, `est_label` or both; or `all`: true for every vehicle there is',
  });
export type RotationBody = z.infer<typeof RotationBody>;

export function wavesOf({ waves, within_seconds }: Pick<RotationBody, 'waves' | 'within_seconds'>): number {
  return waves ?? Math.min(MOST_WAVES, Math.max(1, Math.round(within_seconds / WAVE_SECONDS)));
}

const Cursor = z.string().transform((cursor) => Buffer.from(cursor, 'base64url').toString('latin1'));

export const RotationQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  after: Cursor.pipe(DeviceId).optional(),
});
export type RotationQuery = z.infer<typeof RotationQuery>;

/** Rotations are listed the newest first; the cursor is the last one's start. */
export const RotationsQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  after: Cursor.pipe(z.iso.datetime()).optional(),
});
export type RotationsQuery = z.infer<typeof RotationsQuery>;

export function cursorOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('base64url');
}

export interface Rotation {
  readonly rotationId: string;
  readonly label: string | null;
  readonly estLabel: string | null;
  readonly withinSeconds: number;
  readonly waves: number;
  readonly reason: string;
  readonly createdBy: string;
  readonly startedAt: Date;
  readonly cancelledAt: Date | null;
  readonly cancelledBy: string | null;
  readonly selected: number;
  /** The vehicle was seen using a certificate that it got after the start. */
  readonly renewed: number;
  /** Not renewed, and no longer in service: quarantined, awaiting recovery, retired. */
  readonly gone: number;
}

/** Whether the one asks for what the other asked for. */
export function asksTheSame(one: Asked, other: Asked): boolean {
  return (['label', 'estLabel', 'withinSeconds', 'waves', 'reason', 'createdBy'] as const).every(
    (key) => one[key] === other[key],
  );
}

type Asked = Pick<Rotation, 'label' | 'estLabel' | 'withinSeconds' | 'waves' | 'reason' | 'createdBy'>;

export type RotationState = 'under_way' | 'overdue' | 'done' | 'cancelled';

export function rotationState(rotation: Rotation, now: Date): RotationState {
  if (rotation.cancelledAt) return 'cancelled';
  if (outstanding(rotation) === 0) return 'done';
  return now < endsAt(rotation) ? 'under_way' : 'overdue';
}

/** The document of the operator API. */
export function rotationDocument(rotation: Rotation, now: Date) {
  const { rotationId, label, estLabel, withinSeconds, waves, reason, createdBy, startedAt, cancelledAt } = rotation;
  return {
    id: rotationId,
    state: rotationState(rotation, now),
    ...(label === null ? {} : { label }),
    ...(estLabel === null ? {} : { est_label: estLabel }),
    reason,
    created_by: createdBy,
    started_at: startedAt.toISOString(),
    ends_at: endsAt(rotation).toISOString(),
    within_seconds: withinSeconds,
    waves,
    selected: rotation.selected,
    renewed: rotation.renewed,
    outstanding: outstanding(rotation),
    gone: rotation.gone,
    ...(cancelledAt ? { cancelled_at: cancelledAt.toISOString(), cancelled_by: rotation.cancelledBy } : {}),
  };
}

export interface Straggler {
  readonly deviceId: DeviceId;
  readonly wave: number;
  readonly lastSeenAt: Date | null;
  readonly notAfter: Date | null;
}

/** A vehicle whose wave is over and that has not renewed. `last_seen_at`: its last question, or the last first use of a certificate. */
export function stragglerDocument({ deviceId, wave, lastSeenAt, notAfter }: Straggler) {
  return {
    device_id: deviceId,
    wave,
    last_seen_at: lastSeenAt?.toISOString() ?? null,
    certificate_not_after: notAfter?.toISOString() ?? null,
  };
}

function outstanding({ selected, renewed, gone }: Rotation): number {
  return selected - renewed - gone;
}

function endsAt({ startedAt, withinSeconds }: Rotation): Date {
  return new Date(startedAt.getTime() + withinSeconds * 1000);
}
