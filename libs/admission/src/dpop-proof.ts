/** Decides whether a DPoP proof shows possession of a key for exactly this request (RFC 9449 §4.3). */
import { constantTimeEqual, JWS_TYP, sha256Base64url, verifyJws } from '@outrider/crypto';
import type { ErrorCode } from '@outrider/errors';
import { z } from 'zod';
import { jsonOf, readCompactJws } from './compact-jws.js';
import { dpopKey } from './dpop-key.js';
import { type NonceKey, type NonceWindow, nonceWindow } from './dpop-nonce.js';

/** Characters of the `DPoP` header; a longer one is not parsed. */
export const MAX_PROOF_BYTES = 2048;

/** How far a proof's `iat` may lie outside the time of its nonce. Our own clock has no part in it: the nonce says when the proof was made. */
export const PROOF_SKEW_SECONDS = 60;

/** `urls`: the public URLs of this resource, any of which may be meant. `accessToken`: the token it is used with, where it is. */
export interface ProofExpectation {
  readonly method: string;
  readonly urls: readonly string[];
  readonly accessToken?: string | undefined;
  readonly nonceKey: NonceKey;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

/** A proof that holds, but may have been used before: only the store of used proofs knows. */
export interface DpopProof {
  readonly jkt: string;
  /** Of the same key, as the denylist names it. */
  readonly keyThumbprint: string;
  /** SHA-256 over jkt, jti, htm and htu. */
  readonly replayKey: string;
  /** After this no nonce of its time is taken any more; seconds since the epoch. */
  readonly untilSeconds: number;
  /** False: the answer should hand out a newer nonce (RFC 9449 §8.2). */
  readonly nonceCurrent: boolean;
}

export interface ProofRefusal {
  readonly ok: false;
  readonly code: Extract<ErrorCode, 'auth.dpop_invalid' | 'auth.dpop_nonce'>;
  /** For the decision log and the answer. */
  readonly reason: string;
}
export type ProofVerdict = { readonly ok: true; readonly proof: DpopProof } | ProofRefusal;

const Claims = z.object({
  /** 96 bits in base64url at the least (RFC 9449 §4.2). */
  jti: z.string().regex(/^[\x21-\x7e]{16,128}$/),
  htm: z.string().min(1).max(16),
  htu: z.string().min(1).max(1024),
  iat: z.int().min(0).max(253_402_300_799),
  ath: z.string().length(43).optional(),
  nonce: z.string().max(128).optional(),
});
type Claims = z.infer<typeof Claims>;

/**
 * Order: one header of bounded size, form, key, signature, then the claims: method, URL, token, nonce, time. The key chooses the
 * algorithm. Never throws on any input.
 * @param header the `DPoP` field as received; several fields arrive joined by commas, and are refused.
 */
export function verifyDpopProof(header: string | undefined, expected: ProofExpectation): ProofVerdict {
  const parsed = header === undefined ? undefined : readCompactJws(header, MAX_PROOF_BYTES);
  if (!parsed) return invalid('exactly one DPoP header with a compact JWS');
  const held = dpopKey(parsed.header.jwk);
  if (!held) return invalid('jwk is no public key of P-256, P-384 or Ed25519');
  const verified = verifyJws(parsed, held.key, { typ: JWS_TYP.dpop, allowedHeaders: ['jwk'] });
  if (!verified.ok) return invalid(verified.reason);
  const claims = Claims.safeParse(jsonOf(parsed.payload));
  if (!claims.success) return invalid(`claims: ${String(claims.error.issues[0]?.path[0] ?? 'no object')}`);
  const { jti, htm } = claims.data;
  const refused = checkRequest(claims.data, expected) ?? checkToken(claims.data, expected);
  if (refused) return refused;
  const window = nonceWindow(claims.data.nonce ?? '', expected.nonceKey, expected.nowMs);
  if (!window)
    return { ok: false, code: 'auth.dpop_nonce', reason: claims.data.nonce ? 'the nonce is old' : 'no nonce' };
  if (!isWithin(claims.data.iat, window)) return invalid('iat is not of the time of the nonce');
  const { jkt, key } = held;
  // Every part is free of line feeds by now, so that no two lists of parts make one text.
  const replayKey = sha256Base64url([jkt, jti, htm, withoutQuery(claims.data.htu)].join('\n'));
  const { untilSeconds, current: nonceCurrent } = window;
  return { ok: true, proof: { jkt, keyThumbprint: key.keyThumbprint, replayKey, untilSeconds, nonceCurrent } };
}

function checkRequest({ htm, htu }: Claims, { method, urls }: ProofExpectation): ProofRefusal | undefined {
  if (htm !== method) return invalid('htm is another method');
  const asked = withoutQuery(htu);
  if (asked === undefined || !urls.some((url) => withoutQuery(url) === asked)) return invalid('htu is another URL');
  return undefined;
}

function checkToken({ ath }: Claims, { accessToken }: ProofExpectation): ProofRefusal | undefined {
  if (accessToken === undefined) return undefined;
  if (ath !== undefined && constantTimeEqual(ath, sha256Base64url(accessToken))) return undefined;
  return invalid('ath is not of this access token');
}

function isWithin(iat: number, { fromSeconds, untilSeconds }: NonceWindow): boolean {
  return iat >= fromSeconds - PROOF_SKEW_SECONDS && iat <= untilSeconds + PROOF_SKEW_SECONDS;
}

/** Scheme, host, port and path, normalised (RFC 3986 §6.2.2, §6.2.3); query and fragment do not count (RFC 9449 §4.3). */
function withoutQuery(text: string): string | undefined {
  if (!/^[\x21-\x7e]+$/.test(text) || !URL.canParse(text)) return undefined;
  const { protocol, host, pathname, username, password } = new URL(text);
  return username === '' && password === '' ? `${protocol}//${host}${pathname}` : undefined;
}

function invalid(reason: string): ProofRefusal {
  return { ok: false, code: 'auth.dpop_invalid', reason };
}
