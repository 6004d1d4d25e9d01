/** SubjectPublicKeyInfo: which key it is, and which signature algorithm that key fixes. */
import { createVerify, type KeyObject, verify } from 'node:crypto';
import { importPublicKey as importSpki } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { type DerNode, malformed, readDer, TAG } from './der-read.js';
import { bitStringBytes, oidOf, sequenceOf } from './der-values.js';
import { derNull, objectIdentifier, sequence } from './der-write.js';
import { OID } from './oids.js';

/** `other` covers what we parse but never accept: other curves, DSA, RSA-PSS keys. */
export type CertificateKeyAlgorithm = 'P-256' | 'P-384' | 'Ed25519' | 'RSA' | 'other';

export interface SignatureAlgorithm {
  readonly oid: string;
  readonly key: CertificateKeyAlgorithm;
  readonly hash: string | null;
}

const SIGNATURE_ALGORITHMS: readonly SignatureAlgorithm[] = [
  { oid: OID.ecdsaWithSha256, key: 'P-256', hash: 'sha256' },
  { oid: OID.ecdsaWithSha384, key: 'P-384', hash: 'sha384' },
  { oid: OID.ed25519, key: 'Ed25519', hash: null },
  { oid: OID.rsaWithSha256, key: 'RSA', hash: 'sha256' },
  { oid: OID.rsaWithSha384, key: 'RSA', hash: 'sha384' },
  { oid: OID.rsaWithSha512, key: 'RSA', hash: 'sha512' },
];

/** Names the key by its AlgorithmIdentifier alone; the key itself is not yet checked. */
export function keyAlgorithmOf(spkiDer: Uint8Array): CertificateKeyAlgorithm {
  const [algorithm, key] = sequenceOf(readDer(spkiDer), 'subjectPublicKeyInfo');
  const point = bitStringBytes(key, 'subjectPublicKey');
  const [type, parameters] = sequenceOf(algorithm, 'key algorithm');
  const oid = oidOf(type, 'key algorithm');
  if (oid === OID.ed25519) return parameters === undefined ? 'Ed25519' : 'other';
  if (oid === OID.rsaEncryption) return parameters?.tag === TAG.null ? 'RSA' : 'other';
  if (oid !== OID.ecPublicKey || parameters?.tag !== TAG.oid) return 'other';
  const curve = oidOf(parameters, 'curve');
  // Uncompressed points alone: a key must not have a second encoding under which the denylist does not know it.
  if (curve === OID.p256 && point.length === 65) return 'P-256';
  return curve === OID.p384 && point.length === 97 ? 'P-384' : 'other';
}

/**
 * The key as node:crypto holds it. OpenSSL checks on import that an EC point lies on its curve.
 * @throws DomainError `x509.key_unsupported`
 */
export function importPublicKey(spkiDer: Uint8Array): KeyObject {
  try {
    return importSpki(spkiDer);
  } catch (cause) {
    throw new DomainError('x509.key_unsupported', { cause, detail: 'the public key is not a valid key of its type' });
  }
}

/** The one signature algorithm that a key of our own uses, e.g. ECDSA with SHA-384 for P-384. */
export function signatureAlgorithmFor(key: CertificateKeyAlgorithm): SignatureAlgorithm {
  const found = SIGNATURE_ALGORITHMS.find((algorithm) => algorithm.key === key);
  if (!found || found.key === 'RSA')
    throw new DomainError('x509.key_unsupported', { detail: `no signing with ${key}` });
  return found;
}

export function encodeSignatureAlgorithm(algorithm: SignatureAlgorithm): Uint8Array {
  return algorithm.key === 'RSA'
    ? sequence(objectIdentifier(algorithm.oid), derNull())
    : sequence(objectIdentifier(algorithm.oid));
}

export interface AlgorithmIdentifier {
  readonly oid: string;
  readonly der: Uint8Array;
}

export function readAlgorithmIdentifier(node: DerNode | undefined, what: string): AlgorithmIdentifier {
  const [type, parameters, ...rest] = sequenceOf(node, what);
  const oid = oidOf(type, what);
  if (rest.length > 0) throw malformed(`${what} has more than parameters`);
  const known = SIGNATURE_ALGORITHMS.find((algorithm) => algorithm.oid === oid);
  // RFC 5758 §3.2, RFC 8410 §3: absent for ECDSA and Ed25519; RFC 4055 §5: NULL for RSA (absent tolerated).
  if (known && parameters !== undefined && !(known.key === 'RSA' && parameters.tag === TAG.null)) {
    throw malformed(`${what} has parameters that its algorithm does not take`);
  }
  return { oid, der: node?.der ?? new Uint8Array() };
}

/**
 * Whether `signature` over `signed` holds under `spkiDer` by the algorithm named `oid`. The key's type decides which algorithms
 * are possible at all: a name that does not fit the key is false. ECDSA takes any of SHA-256, 384, 512 with either curve, as others' CAs mix them.
 */
export function verifySignature(oid: string, spkiDer: Uint8Array, signed: Uint8Array, signature: Uint8Array): boolean {
  const key = keyAlgorithmOf(spkiDer);
  const hash = hashFor(oid, key);
  if (hash === undefined) return false;
  try {
    return verify(hash, signed, importPublicKey(spkiDer), signature);
  } catch {
    return false;
  }
}

const ECDSA_HASHES: Readonly<Record<string, string>> = {
  [OID.ecdsaWithSha256]: 'sha256',
  [OID.ecdsaWithSha384]: 'sha384',
  [OID.ecdsaWithSha512]: 'sha512',
};

function hashFor(oid: string, key: CertificateKeyAlgorithm): string | null | undefined {
  if (key === 'P-256' || key === 'P-384') return ECDSA_HASHES[oid];
  return SIGNATURE_ALGORITHMS.find((algorithm) => algorithm.oid === oid && algorithm.key === key)?.hash;
}

/** Looks at a signature over more than anyone holds at once. */
export interface SignatureCheck {
  update(part: Uint8Array): void;
  holds(signature: Uint8Array): boolean;
}

/** By the one algorithm that a key of our own uses. @throws DomainError `x509.key_unsupported` but for P-256 and P-384. */
export function signatureCheck(spkiDer: Uint8Array): SignatureCheck {
  const { hash } = signatureAlgorithmFor(keyAlgorithmOf(spkiDer));
  if (hash === null) throw new DomainError('x509.key_unsupported', { detail: 'Ed25519 signs no parts' });
  const check = createVerify(hash);
  return {
    update: (part) => void check.update(part),
    holds: (signature) => check.verify(importPublicKey(spkiDer), signature),
  };
}
