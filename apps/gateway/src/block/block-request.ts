/** The bodies of block and unblock, and what may be asked of them. Empty strings count as absent: that is what an unset variable in a shell becomes. */
import { DenylistMode } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { DeviceId, JwtId, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import { BLOCK_KINDS, type BlockKind } from './block-target.js';

function orAbsent<S extends z.ZodType>(schema: S) {
  return z.preprocess((value) => (value === '' || value === null ? undefined : value), schema.optional());
}

const targets = {
  device_id: orAbsent(DeviceId),
  /** Beside a device one of its certificates, a check that the right device is named; else the target. */
  thumbprint: orAbsent(Thumbprint),
  network: orAbsent(z.string().max(64)),
  token_id: orAbsent(JwtId),
} as const;
const because = { reason: orAbsent(z.string().max(500)), ticket: orAbsent(z.string().max(128)) } as const;

/** No token lives longer. */
const TOKEN_BLOCK_SECONDS = 2 * 86_400;
const LONGEST_SECONDS = 10 * 366 * 86_400;

export const BlockBody = z.strictObject({
  ...targets,
  ...because,
  mode: orAbsent(DenylistMode),
  /** Either when, or in how many seconds, the block lifts itself. */
  expires_at: orAbsent(z.iso.datetime({ offset: true })),
  expires_in: orAbsent(z.coerce.number().int().min(1).max(LONGEST_SECONDS)),
});
export type BlockBody = z.output<typeof BlockBody>;

export const UnblockBody = z.strictObject({ ...targets, ...because });
export type UnblockBody = z.output<typeof UnblockBody>;

const Limit = orAbsent(z.coerce.number().int().min(1).max(1000));

export const BlockQuery = z.strictObject({
  kind: orAbsent(z.enum(BLOCK_KINDS)),
  /** The `next` of the page before. */
  after: orAbsent(z.string().max(300)),
  limit: Limit,
});
export type BlockQuery = z.output<typeof BlockQuery>;

export const BlockHistoryQuery = z.strictObject({
  ...targets,
  after: orAbsent(z.string().regex(/^[1-9][0-9]{0,17}$/)),
  limit: Limit,
});
export type BlockHistoryQuery = z.output<typeof BlockHistoryQuery>;

/**
 * When the block lifts itself; undefined: not by itself. A token's always does, since the token has an end.
 * @throws DomainError `request.invalid` for what is over already, or said twice
 */
export function expiryOf({ expires_at, expires_in }: BlockBody, kind: BlockKind, now: Date): Date | undefined {
  if (expires_at !== undefined && expires_in !== undefined)
    throw new DomainError('request.invalid', { detail: 'expires_at or expires_in' });
  const seconds = expires_in ?? (kind === 'token' && expires_at === undefined ? TOKEN_BLOCK_SECONDS : undefined);
  if (seconds !== undefined) return new Date(now.getTime() + seconds * 1000);
  if (expires_at === undefined) return undefined;
  const at = new Date(expires_at);
  if (at <= now) throw new DomainError('request.invalid', { detail: 'expires_at: in the past' });
  return at;
}
