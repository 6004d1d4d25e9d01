/** What a service account sends to get a token with an elevated scope beside those that it holds (RFC 7523). */
import type { KeyObject } from 'node:crypto';
import { JWS_TYP, signJws } from '@outrider/crypto';
import { z } from 'zod';

const Held = z.looseObject({ client_id: z.string(), scope: z.string() });

/** Who the token is of, and its scopes. Reads and does not verify: it is our own. */
export function heldBy(token: string): { readonly clientId: string; readonly scopes: readonly string[] } {
  const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as unknown;
  const { client_id: clientId, scope } = Held.parse(payload);
  return { clientId, scopes: scope.split(' ') };
}

/** The form. `audience`: URL of the token endpoint; `nowMs`: milliseconds since the epoch; `jti`: fresh. */
export function tokenForm(
  clientId: string,
  scopes: readonly string[],
  { audience, key, nowMs, jti }: { audience: string; key: KeyObject; nowMs: number; jti: string },
): string {
  const iat = Math.floor(nowMs / 1000);
  const claims = { iss: clientId, sub: clientId, aud: audience, iat, exp: iat + 60, jti };
  return new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: signJws({
      header: { typ: JWS_TYP.clientAuthentication },
      payload: JSON.stringify(claims),
      key,
    }),
    scope: scopes.join(' '),
  }).toString();
}
