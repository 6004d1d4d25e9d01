/** How an operator has shown who it is, as its token says, and whether that is enough for what is asked (RFC 9470). */
import { z } from 'zod';

/** Authentication contexts. A service account signs by its key; a person has a password or an identity provider, and with `mfa` a second factor. */
export const ACR = {
  service: 'urn:outrider:acr:service',
  password: 'urn:outrider:acr:password',
  mfa: 'urn:outrider:acr:mfa',
} as const;
export type Acr = (typeof ACR)[keyof typeof ACR];

/** Claims of every operator token. `amr`: names of RFC 8176; `auth_time`: seconds since the epoch; `elevation`: the id of the one that gives its elevated scope. */
export const operatorAuthentication = {
  acr: z.enum(ACR),
  amr: z.array(z.string().min(1).max(32)).max(8),
  auth_time: z.int().min(0).max(253_402_300_799),
  elevation: z.uuid().optional(),
} as const;

/** What a route asks beyond the scope. */
export interface StepUp {
  readonly acr?: Acr;
  /** Since the sign-in, or its renewal. */
  readonly maxAgeSeconds?: number;
}

/** True where the token's authentication is of this context and this fresh. One from the future is as fresh as one of now: the issuer is ours. */
export function meetsStepUp(
  { acr, auth_time }: { readonly acr: string; readonly auth_time: number },
  stepUp: StepUp,
  nowMs: number,
): boolean {
  if (stepUp.acr !== undefined && acr !== stepUp.acr) return false;
  return stepUp.maxAgeSeconds === undefined || nowMs / 1000 - auth_time <= stepUp.maxAgeSeconds;
}
