/** The two forms of a signed command: a compact JWS, and COSE_Sign1 for units that have no JSON to spare. Kept and hashed byte for byte. */
import { COSE_HEADER, coseToBeSigned, encodeCbor, encodeCoseSign1 } from '@outrider/canonicalization';
import { COSE_EXTERNAL_AAD, sha256Base64url } from '@outrider/crypto';

export type CommandForm = 'jws' | 'cose';

const COSE_PREFIX = 'cose:';
const COSE_ES256 = -7;
const AAD = Buffer.from(COSE_EXTERNAL_AAD.command);

/** As it goes over the wire: `jws` compact, or `cose` in base64url. */
export type SignedMember = { readonly jws: string } | { readonly cose: string };

/** `signed`: as it is kept, a compact JWS or `cose:` and base64url. */
export function memberOf(signed: string): SignedMember {
  return signed.startsWith(COSE_PREFIX) ? { cose: signed.slice(COSE_PREFIX.length) } : { jws: signed };
}

/** SHA-256 over the compact text, or over the bytes of the COSE_Sign1; base64url. */
export function requestHash(signed: string): string {
  if (!signed.startsWith(COSE_PREFIX)) return sha256Base64url(signed);
  return sha256Base64url(Buffer.from(signed.slice(COSE_PREFIX.length), 'base64url'));
}

/** `payload`: JSON. `chain`: DER, leaf first. `sign`: ES256, r || s. As it is kept. */
export function coseCommand(
  payload: string,
  chain: readonly Uint8Array[],
  sign: (bytes: Uint8Array) => Uint8Array,
): string {
  const protectedHeaders = new Map<number, number | readonly Uint8Array[]>([
    [COSE_HEADER.algorithm, COSE_ES256],
    [COSE_HEADER.x5chain, chain],
  ]);
  const protectedBytes = encodeCbor(protectedHeaders);
  const content = encodeCbor(JSON.parse(payload));
  const signature = sign(coseToBeSigned({ protectedBytes, protectedHeaders, payload: content }, AAD));
  const unprotectedHeaders = new Map<number, never>();
  const message = encodeCoseSign1({ tagged: true, protectedBytes, unprotectedHeaders, payload: content, signature });
  return `${COSE_PREFIX}${message.toString('base64url')}`;
}
