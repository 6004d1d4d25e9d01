/** The two forms of a signed command, a compact JWS and a COSE_Sign1: what each says of its signer, its signature and its content. */
import { COSE_HEADER, type CoseSign1, coseToBeSigned, decodeCbor, parseCoseSign1 } from '@outrider/canonicalization';
import {
  COSE_EXTERNAL_AAD,
  JWS_TYP,
  parseJws,
  sha256Base64url,
  type VerificationKey,
  verifyJws,
  verifySignature,
} from '@outrider/crypto';

/** A compact JWS, or `cose:` and the base64url of a COSE_Sign1: the text under which a vehicle keeps it, byte for byte. */
export type SignedCommand = string;

const COSE_PREFIX = 'cose:';
/** The command signer's key is P-256 (RFC 9053 §2.1). */
const COSE_ES256 = -7;
const MAX_CONTENT_DEPTH = 32;
const AAD = Buffer.from(COSE_EXTERNAL_AAD.command);

export interface OpenedCommand {
  /** Attacker-controlled until it chains to the fleet root: leaf first, base64 in a JWS, bytes in COSE. */
  readonly chain: unknown;
  verify(key: VerificationKey): { readonly ok: true } | { readonly ok: false; readonly reason: string };
  /** To be looked at after `verify` alone. Throws DomainError or SyntaxError. */
  content(): unknown;
}

/** Of an offer or an answer to a nonce; undefined where it holds neither form. */
export function signedOf(answer: unknown): SignedCommand | undefined {
  const { jws, cose } = answer as { jws?: unknown; cose?: unknown };
  if (typeof cose === 'string') return fromCose(cose);
  return typeof jws === 'string' ? jws : undefined;
}

export function fromCose(base64url: string): SignedCommand {
  return `${COSE_PREFIX}${base64url}`;
}

/** SHA-256 over the bytes as they were signed and sent, base64url: of the compact text, or of the COSE_Sign1. */
export function requestHash(signed: SignedCommand): string {
  return sha256Base64url(signed.startsWith(COSE_PREFIX) ? coseBytes(signed) : signed);
}

/** Throws DomainError for what is neither form. */
export function openCommand(signed: SignedCommand, maxBytes: number): OpenedCommand {
  if (signed.startsWith(COSE_PREFIX)) return openCose(parseCoseSign1(coseBytes(signed), maxBytes));
  const parsed = parseJws(signed, maxBytes);
  return {
    chain: parsed.header.x5c,
    verify: (key) => verifyJws(parsed, key, { typ: JWS_TYP.command, allowedHeaders: ['x5c'] }),
    content: () => JSON.parse(Buffer.from(parsed.payload).toString('utf8')),
  };
}

function openCose(message: CoseSign1): OpenedCommand {
  const { protectedHeaders, unprotectedHeaders, payload, signature } = message;
  const known = new Set<number | string>([COSE_HEADER.algorithm, COSE_HEADER.x5chain]);
  return {
    chain: protectedHeaders.get(COSE_HEADER.x5chain),
    verify(key) {
      if ([...protectedHeaders.keys()].some((label) => !known.has(label)) || unprotectedHeaders.size > 0)
        return { ok: false, reason: 'header' };
      if (protectedHeaders.get(COSE_HEADER.algorithm) !== COSE_ES256 || key.algorithm !== 'ES256')
        return { ok: false, reason: 'alg' };
      const ok = verifySignature(key, coseToBeSigned(message, AAD), signature);
      return ok ? { ok } : { ok, reason: 'signature' };
    },
    content: () => decodeCbor(payload, { maxBytes: payload.length, maxDepth: MAX_CONTENT_DEPTH }),
  };
}

function coseBytes(signed: SignedCommand): Buffer {
  return Buffer.from(signed.slice(COSE_PREFIX.length), 'base64url');
}
