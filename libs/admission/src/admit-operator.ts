/** Decides whether an operator's request may go on: token, denylist, scope, step-up. Never fails closed on a stale feed. */
import type { ErrorCode } from '@outrider/errors';
import type { OperatorClaims } from './access-token.js';
import { hasScope } from './binding.js';
import type { Denylist } from './denylist.js';
import { denylistCode } from './denylist-entry.js';
import { meetsStepUp, type StepUp } from './operator-authentication.js';
import type { TokenVerdict } from './verify-access-token.js';

export interface OperatorRequest {
  readonly scope: string;
  readonly stepUp?: StepUp;
  readonly bearer: string | undefined;
  readonly remoteAddress: string;
}

export interface OperatorContext {
  readonly denylist: Pick<Denylist, 'match'>;
  readonly verifyToken: (compact: string) => TokenVerdict<OperatorClaims>;
  readonly nowMs: number;
}

export type OperatorDecision =
  | { readonly decision: 'allow'; readonly claims: OperatorClaims }
  | {
      readonly decision: 'deny';
      readonly code: ErrorCode;
      readonly reason: string;
      readonly subject?: string;
      readonly unknownKid?: string;
    };

export function admitOperator(
  { scope, stepUp = {}, bearer, remoteAddress }: OperatorRequest,
  { denylist, verifyToken, nowMs }: OperatorContext,
): OperatorDecision {
  const network = denylist.match({ remoteAddress }, nowMs);
  if (network) return { decision: 'deny', code: denylistCode(network.kind), reason: network.reason };
  if (bearer === undefined) return { decision: 'deny', code: 'auth.token_missing', reason: 'no bearer token' };
  const verdict = verifyToken(bearer);
  if (!verdict.ok) {
    const { code, reason, unknownKid } = verdict;
    return { decision: 'deny', code, reason, ...(unknownKid === undefined ? {} : { unknownKid }) };
  }
  const { claims } = verdict;
  const withdrawn = denylist.match({ tokenId: claims.jti }, nowMs);
  if (withdrawn) return { decision: 'deny', code: 'denylist.token', reason: withdrawn.reason, subject: claims.sub };
  if (!hasScope(claims.scope, [scope])) {
    return { decision: 'deny', code: 'auth.scope_insufficient', reason: `needs ${scope}`, subject: claims.sub };
  }
  if (!meetsStepUp(claims, stepUp, nowMs)) {
    const reason = `needs ${stepUp.acr ?? 'any sign-in'}${stepUp.maxAgeSeconds === undefined ? '' : ` of the last ${stepUp.maxAgeSeconds} s`}`;
    return { decision: 'deny', code: 'auth.step_up_required', reason, subject: claims.sub };
  }
  return { decision: 'allow', claims };
}
