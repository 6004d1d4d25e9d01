/** Decides how long a vehicle's token lives: within its family's bounds, and never past the certificate it comes from. */
import { DomainError } from '@outrider/errors';
import type { ScopeFamily } from './scope.js';

interface Bounds {
  readonly minSeconds: number;
  readonly defaultSeconds: number;
  readonly maxSeconds: number;
}

export const LIFETIMES: Readonly<Record<ScopeFamily, Bounds>> = {
  telemetry: { minSeconds: 30, defaultSeconds: 120, maxSeconds: 300 },
  api: { minSeconds: 30, defaultSeconds: 120, maxSeconds: 300 },
  control: { minSeconds: 10, defaultSeconds: 30, maxSeconds: 60 },
};

/** Whole seconds as a decimal number without sign; undefined stays undefined. @throws DomainError `token.invalid_request` */
export function parseLifetime(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,9}$/.test(text))
    throw new DomainError('token.invalid_request', { detail: 'requested_lifetime is a number of seconds' });
  return Number(text);
}

/** Seconds since the epoch; all whole. `exp` is shorter than the family's minimum only where the certificate ends before it. */
export interface TokenTimes {
  readonly iat: number;
  readonly exp: number;
}

/**
 * `nowMs`, `notAfterMs`: milliseconds since the epoch.
 * @throws DomainError `tls.certificate_expired` where the certificate has less than a second left: connections outlive certificates.
 */
export function decideLifetime(
  family: ScopeFamily,
  requestedSeconds: number | undefined,
  { nowMs, notAfterMs }: { readonly nowMs: number; readonly notAfterMs: number },
): TokenTimes {
  const { minSeconds, defaultSeconds, maxSeconds } = LIFETIMES[family];
  const lifetime = Math.min(maxSeconds, Math.max(minSeconds, requestedSeconds ?? defaultSeconds));
  const iat = Math.floor(nowMs / 1000);
  const exp = Math.min(iat + lifetime, Math.floor(notAfterMs / 1000));
  if (exp <= iat) throw new DomainError('tls.certificate_expired');
  return { iat, exp };
}
