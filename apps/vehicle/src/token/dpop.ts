/** Decides what a DPoP proof of this vehicle says, and what it learns from an answer: the nonce for the next one, and the platform's time (RFC 9449 §4.2, §8). */
import { createHash, type KeyObject } from 'node:crypto';

/** What one server has told: its newest nonce, and how far its clock is ahead of ours. */
export interface ServerTime {
  readonly nonce: string | undefined;
  readonly aheadMs: number;
}

export const UNKNOWN: ServerTime = { nonce: undefined, aheadMs: 0 };

export interface ProofParts {
  readonly method: string;
  readonly url: string;
  readonly accessToken: string | undefined;
  readonly server: ServerTime;
  /** Random, new for each proof. */
  readonly jti: string;
  /** Milliseconds since the epoch by our own clock, which may be wrong. */
  readonly nowMs: number;
}

/** `header.payload`, to be signed as it is. `publicKey`: P-256 or Ed25519. */
export function proofInput(publicKey: KeyObject, parts: ProofParts): string {
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
  const jwk = y === undefined ? { kty, crv, x } : { kty, crv, x, y };
  const header = { typ: 'dpop+jwt', alg: kty === 'EC' ? 'ES256' : 'EdDSA', jwk };
  const url = new URL(parts.url);
  const claims = {
    jti: parts.jti,
    htm: parts.method,
    htu: `${url.origin}${url.pathname}`,
    iat: Math.floor((parts.nowMs + parts.server.aheadMs) / 1000),
    ...(parts.accessToken === undefined ? {} : { ath: sha256(parts.accessToken) }),
    ...(parts.server.nonce === undefined ? {} : { nonce: parts.server.nonce }),
  };
  return [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
}

/** The parts of an answer that matter here. */
export interface Answered {
  readonly status: number;
  readonly body: string;
  /** Of the `DPoP-Nonce` header. */
  readonly dpopNonce: string | undefined;
  /** Of the `Date` header. */
  readonly date: string | undefined;
}

/** A nonce comes with the platform's time, by which the next proof is dated: a wrong clock of ours is no reason to be refused. */
export function learn(known: ServerTime, { dpopNonce, date }: Answered, nowMs: number): ServerTime {
  if (dpopNonce === undefined) return known;
  const theirs = Date.parse(date ?? '');
  return { nonce: dpopNonce, aheadMs: Number.isNaN(theirs) ? known.aheadMs : theirs - nowMs };
}

/** Whether the same request with the nonce of this answer may do: `use_dpop_nonce` of OAuth, `auth.dpop_nonce` of a resource. */
export function asksForNonce({ status, body, dpopNonce }: Answered): boolean {
  return (
    (status === 400 || status === 401) && dpopNonce !== undefined && /"(?:use_dpop_nonce|auth\.dpop_nonce)"/.test(body)
  );
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
