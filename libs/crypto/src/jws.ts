/** JWS, compact and flattened (RFC 7515 §7.1, §7.2.2), small and strict, for hot paths: bytes are verified as they came, and headers choose nothing. */
import type { KeyObject } from 'node:crypto';
import { scanJson } from '@outrider/canonicalization';
import { DomainError } from '@outrider/errors';
import { JWS_TYP, type JwsTyp } from './contexts.js';
import { decodeBase64url } from './decode-signature.js';
import { sign, signingAlgorithm } from './sign.js';
import type { VerificationKey } from './verification-key.js';
import { verifySignature } from './verify-signature.js';

const MAX_HEADER_BYTES = 16_384;

/** `typ` is the message's context; further members (`kid`, `x5c`, `jwk`) as the protocol's page says. `alg` comes from the key. */
export interface JwsHeader {
  readonly typ: JwsTyp;
  readonly [name: string]: unknown;
}

/** Attacker-controlled until `verifyJws` says ok, and `header.x5c`, `kid` and `jwk` until whoever anchors them has. */
export interface ParsedJws {
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Uint8Array;
  readonly signingInput: Uint8Array;
  readonly signature: Uint8Array;
}

export type JwsHeaderName = 'kid' | 'x5c' | 'x5t#S256' | 'jwk';

/** `typ`: the only one taken. `allowedHeaders`: what may stand beside `alg` and `typ`, default nothing; `jwk` counts for DPoP proofs alone. */
export interface JwsExpectation {
  readonly typ: JwsTyp;
  readonly allowedHeaders?: readonly JwsHeaderName[];
}

export type JwsRefusal = 'typ_mismatch' | 'alg_mismatch' | 'header_not_allowed' | 'bad_signature';
export type JwsVerdict = { readonly ok: true } | { readonly ok: false; readonly reason: JwsRefusal };

/**
 * The compact form. `payload`: bytes as they are, text as UTF-8.
 * @throws DomainError `x509.key_unsupported`
 */
export function signJws(jws: { header: JwsHeader; payload: Uint8Array | string; key: KeyObject }): string {
  return jwsSigner(jws.header, jws.key)(jws.payload);
}

/**
 * The same for many payloads under one header, which is written once.
 * @throws DomainError `x509.key_unsupported`
 */
export function jwsSigner(header: JwsHeader, key: KeyObject): (payload: Uint8Array | string) => string {
  const start = `${base64url(JSON.stringify({ ...header, alg: signingAlgorithm(key) }))}.`;
  return (payload) => {
    const input = start + base64url(payload);
    return `${input}.${sign(key, Buffer.from(input, 'latin1')).toString('base64url')}`;
  };
}

/**
 * Three parts of unpadded, canonical base64url; the header one JSON object without duplicate names, at most 16 KiB.
 * @throws DomainError `request.malformed`, `request.too_large` over `maxBytes` characters
 */
export function parseJws(compact: string, maxBytes: number): ParsedJws {
  if (compact.length > maxBytes)
    throw new DomainError('request.too_large', { detail: `a JWS of more than ${maxBytes} bytes` });
  const parts = compact.split('.', 4);
  if (parts.length !== 3) throw malformed('a compact JWS has three parts');
  const [header, payload, signature] = parts.map((part) => decodeBase64url(part));
  if (!header || !payload || !signature) throw malformed('a part of the JWS is not unpadded base64url');
  const signingInput = Buffer.from(compact.slice(0, compact.lastIndexOf('.')), 'latin1');
  return { header: parseHeader(header), payload, signingInput, signature };
}

/** The members of a flattened JWS: all strings but `header`, which is an object where it is there. */
export interface FlattenedJws {
  readonly protected: string;
  readonly payload: string;
  readonly signature: string;
  readonly header?: Readonly<Record<string, unknown>>;
}

/**
 * The same of the flattened form. `typ` and `alg` must be protected; an unprotected header may hold `kid` and `x5t#S256` alone, and no
 * name that is protected too (RFC 7515 §7.2.1).
 * @throws DomainError `request.malformed`
 */
export function parseFlattenedJws(jws: FlattenedJws): ParsedJws {
  const [header, payload, signature] = [jws.protected, jws.payload, jws.signature].map((part) => decodeBase64url(part));
  if (!header || !payload || !signature) throw malformed('a member of the JWS is not unpadded base64url');
  const protectedHeader = parseHeader(header);
  const unprotected = Object.entries(jws.header ?? {});
  if (unprotected.some(([name]) => !UNPROTECTED.has(name) || Object.hasOwn(protectedHeader, name))) {
    throw malformed('the unprotected header of the JWS has a member that must be protected, or is protected too');
  }
  const signingInput = Buffer.from(`${jws.protected}.${jws.payload}`, 'latin1');
  return { header: { ...protectedHeader, ...Object.fromEntries(unprotected) }, payload, signingInput, signature };
}

/** They name a key that is checked for itself; nothing is lost where they are not signed. */
const UNPROTECTED: ReadonlySet<string> = new Set(['kid', 'x5t#S256']);

/**
 * Whether the JWS is of this context, by this key. The header is checked first: `typ` exactly as pinned, `alg` exactly the key's, and no
 * member that is not allowed. `crit`, `b64`, `jku`, `x5u` and the like can never be allowed: they would let the header choose the rules.
 */
export function verifyJws(parsed: ParsedJws, key: VerificationKey, expectation: JwsExpectation): JwsVerdict {
  const { header } = parsed;
  if (header.typ !== expectation.typ) return refusal('typ_mismatch');
  if (!isAlgorithmOf(header.alg, key)) return refusal('alg_mismatch');
  if (!Object.keys(header).every((name) => isAllowed(name, expectation))) return refusal('header_not_allowed');
  if (!isJoseLength(parsed.signature, key)) return refusal('bad_signature');
  return verifySignature(key, parsed.signingInput, parsed.signature) ? { ok: true } : refusal('bad_signature');
}

/** EdDSA has a fully specified name too (RFC 9864 §2.2); the ECDSA names of JOSE are so already. */
function isAlgorithmOf(alg: unknown, { algorithm }: VerificationKey): boolean {
  return alg === algorithm || (algorithm === 'EdDSA' && alg === 'Ed25519');
}

function isAllowed(name: string, { typ, allowedHeaders = [] }: JwsExpectation): boolean {
  if (name === 'typ' || name === 'alg') return true;
  if (name === 'jwk' && typ !== JWS_TYP.dpop) return false;
  return allowedHeaders.some((allowed) => allowed === name);
}

/** JOSE knows r || s alone (RFC 7518 §3.4): DER, though it may verify elsewhere, has no place in a JWS. */
function isJoseLength(signature: Uint8Array, key: VerificationKey): boolean {
  return signature.length === (key.algorithm === 'ES384' ? 96 : 64);
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.length > MAX_HEADER_BYTES) throw malformed('the JWS header is too long');
  const { root } = scanJson(bytes, { maxBytes: MAX_HEADER_BYTES, maxDepth: 4 });
  if (root.kind !== 'object') throw malformed('the JWS header is no object');
  return root.value() as Record<string, unknown>;
}

function base64url(bytes: Uint8Array | string): string {
  return Buffer.from(bytes).toString('base64url');
}

function refusal(reason: JwsRefusal): JwsVerdict {
  return { ok: false, reason };
}

function malformed(detail: string): DomainError {
  return new DomainError('request.malformed', { detail });
}
