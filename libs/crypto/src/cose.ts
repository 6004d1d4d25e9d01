/** COSE_Sign1 (RFC 9052 §4.2) signed and verified: bytes as they came, the context in external_aad, and headers that choose nothing. */
import type { KeyObject } from 'node:crypto';
import { COSE_HEADER, type CoseSign1, coseToBeSigned, encodeCbor, encodeCoseSign1 } from '@outrider/canonicalization';
import type { CoseExternalAad } from './contexts.js';
import { ECDSA, ED25519_SIGNATURE_BYTES, type KeyAlgorithm } from './key-algorithm.js';
import { sign, signingAlgorithm } from './sign.js';
import type { VerificationKey } from './verification-key.js';
import { verifySignature } from './verify-signature.js';

/** RFC 9053 §2.1 and §2.2, then the same by its fully specified name (RFC 9864 §2). The first is what we write. */
const ALGORITHMS: Readonly<Record<KeyAlgorithm, readonly [number, number]>> = {
  ES256: [-7, -9],
  ES384: [-35, -51],
  EdDSA: [-8, -19],
};

/** What a `crit` header may list: what every verifier here reads. */
const UNDERSTOOD: readonly unknown[] = [
  COSE_HEADER.algorithm,
  COSE_HEADER.contentType,
  COSE_HEADER.kid,
  COSE_HEADER.x5t,
];

/**
 * `externalAad`: the context, as UTF-8. `unprotectedAlgorithm`: take `alg` from the unprotected headers where the protected ones have
 * none, as RFC 9052 lets old senders do; the key decides all the same. No protocol here sets it.
 */
export interface CoseExpectation {
  readonly externalAad: CoseExternalAad | Uint8Array;
  readonly unprotectedAlgorithm?: boolean;
}

export type CoseRefusal = 'critical_header' | 'alg_missing' | 'alg_mismatch' | 'bad_signature';
export type CoseVerdict = { readonly ok: true } | { readonly ok: false; readonly reason: CoseRefusal };

/** Whether it is of this context, by this key. Headers are checked first; `kid` and `x5t` are the caller's to compare. */
export function verifyCoseSign1(cose: CoseSign1, key: VerificationKey, expectation: CoseExpectation): CoseVerdict {
  if (!criticalUnderstood(cose)) return refusal('critical_header');
  const algorithm =
    cose.protectedHeaders.get(COSE_HEADER.algorithm) ??
    (expectation.unprotectedAlgorithm ? cose.unprotectedHeaders.get(COSE_HEADER.algorithm) : undefined);
  if (algorithm === undefined) return refusal('alg_missing');
  if (!(ALGORITHMS[key.algorithm] as readonly unknown[]).includes(algorithm)) return refusal('alg_mismatch');
  // COSE knows r || s alone (RFC 9053 §2.1).
  if (cose.signature.length !== signatureBytes(key.algorithm)) return refusal('bad_signature');
  const signed = coseToBeSigned(cose, aadBytes(expectation.externalAad));
  return verifySignature(key, signed, cose.signature) ? { ok: true } : refusal('bad_signature');
}

/** `kid`: into the unprotected headers. `tagged`: with tag 18, default true. */
export interface CoseMessage {
  readonly payload: Uint8Array;
  readonly externalAad: CoseExternalAad;
  readonly kid?: Uint8Array;
  readonly tagged?: boolean;
}

/**
 * A COSE_Sign1 over `payload`, `alg` protected.
 * @throws DomainError `x509.key_unsupported`
 */
export function signCoseSign1({ key, ...message }: CoseMessage & { readonly key: KeyObject }): Buffer {
  const { toBeSigned, complete } = prepareCoseSign1(message, signingAlgorithm(key));
  return complete(sign(key, toBeSigned));
}

/** The same for a key that is elsewhere: what it has to sign, and the message once it has. `signature`: 64 bytes, or r || s. */
export function prepareCoseSign1(
  { payload, externalAad, kid, tagged = true }: CoseMessage,
  algorithm: KeyAlgorithm,
): { readonly toBeSigned: Buffer; readonly complete: (signature: Uint8Array) => Buffer } {
  const protectedHeaders = new Map([[COSE_HEADER.algorithm, ALGORITHMS[algorithm][0]]]);
  const protectedBytes = encodeCbor(protectedHeaders);
  const unprotectedHeaders = new Map(kid ? [[COSE_HEADER.kid, kid]] : []);
  return {
    toBeSigned: coseToBeSigned({ protectedBytes, protectedHeaders, payload }, aadBytes(externalAad)),
    complete: (signature) => encodeCoseSign1({ tagged, protectedBytes, unprotectedHeaders, payload, signature }),
  };
}

/** RFC 9052 §3.1: `crit` is protected, not empty, and lists only labels that are understood and protected. */
function criticalUnderstood({ protectedHeaders, unprotectedHeaders }: CoseSign1): boolean {
  if (unprotectedHeaders.has(COSE_HEADER.critical)) return false;
  if (!protectedHeaders.has(COSE_HEADER.critical)) return true;
  const critical = protectedHeaders.get(COSE_HEADER.critical);
  if (!Array.isArray(critical) || critical.length === 0) return false;
  return critical.every((label) => UNDERSTOOD.includes(label) && protectedHeaders.has(label));
}

function signatureBytes(algorithm: KeyAlgorithm): number {
  return algorithm === 'EdDSA' ? ED25519_SIGNATURE_BYTES : 2 * ECDSA[algorithm].scalarBytes;
}

function aadBytes(aad: CoseExternalAad | Uint8Array): Uint8Array {
  return typeof aad === 'string' ? Buffer.from(aad, 'utf8') : aad;
}

function refusal(reason: CoseRefusal): CoseVerdict {
  return { ok: false, reason };
}
