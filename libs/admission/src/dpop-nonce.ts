/** Decides whether a DPoP nonce is ours and recent (RFC 9449 §8): an HMAC over coarse time, so that replicas with one key need no store. */
import { createHmac } from 'node:crypto';
import { constantTimeEqual } from '@outrider/crypto';

/** A nonce is handed out for one period and taken in two, so it is good for 60 to 120 s. */
export const NONCE_PERIOD_SECONDS = 60;

/**
 * `key`: at least 32 secret bytes, by which nonces are handed out; `others`: whose nonces are taken as well, while replicas change from one
 * key to the next. `service`: one service's nonces are no other's.
 */
export interface NonceKey {
  readonly key: Uint8Array;
  readonly others?: readonly Uint8Array[];
  readonly service: string;
}

/** When a nonce was handed out first, and until when it is taken; seconds since the epoch. `current`: no newer one is handed out yet. */
export interface NonceWindow {
  readonly fromSeconds: number;
  readonly untilSeconds: number;
  readonly current: boolean;
}

/** The nonce to hand out now: 22 characters of base64url. */
export function dpopNonce(key: NonceKey, nowMs: number): string {
  return nonceOf(key, periodOf(nowMs));
}

/** Undefined for a nonce that is older than two periods, of another key or service, or made up. In constant time. */
export function nonceWindow(nonce: string, key: NonceKey, nowMs: number): NonceWindow | undefined {
  const now = periodOf(nowMs);
  const candidates = [key.key, ...(key.others ?? [])].flatMap((each) =>
    [now, now - 1].map((period) => ({ each, period })),
  );
  for (const { each, period } of candidates) {
    if (!constantTimeEqual(nonce, nonceOf({ key: each, service: key.service }, period))) continue;
    const fromSeconds = period * NONCE_PERIOD_SECONDS;
    return {
      fromSeconds,
      untilSeconds: fromSeconds + 2 * NONCE_PERIOD_SECONDS,
      current: period === now && each === key.key,
    };
  }
  return undefined;
}

function periodOf(nowMs: number): number {
  return Math.floor(nowMs / 1000 / NONCE_PERIOD_SECONDS);
}

function nonceOf({ key, service }: NonceKey, period: number): string {
  const mac = createHmac('sha256', key).update(`outrider/dpop-nonce/v1 ${service} ${period}`).digest();
  return mac.subarray(0, 16).toString('base64url');
}
