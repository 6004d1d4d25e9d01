/** What is kept of the operator's token for who asks later by what right a step was taken. */
import type { OperatorClaims } from '@outrider/admission';
import type { Evidence } from '../command/command.js';

/** Times in RFC 3339. No part of the token itself. */
export function operatorEvidence(
  claims: OperatorClaims,
  seen: { readonly remoteAddress: string; readonly traceId: string | undefined },
): Evidence {
  const { sub, client_id, jti, acr, amr, auth_time, roles, scope, elevation } = claims;
  return {
    operator: sub,
    client: client_id,
    token: jti,
    acr,
    amr,
    signed_in_at: new Date(auth_time * 1000).toISOString(),
    roles,
    scope,
    ...(elevation ? { elevation } : {}),
    remote_address: seen.remoteAddress,
    ...(seen.traceId ? { trace: seen.traceId } : {}),
  };
}
