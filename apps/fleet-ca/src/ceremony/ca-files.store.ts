import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DomainError } from '@outrider/errors';
import { SerialNumber } from '@outrider/ids';
import { type CertificateDescription, type ParsedCertificate, parseCertificate, toPem } from '@outrider/x509';

/** The passphrase is the keys' only lock, and PKCS#8's key derivation is a light one: it has to be random and long. */
const MIN_PASSPHRASE_LENGTH = 24;

/** An authority ready to sign. */
export interface OpenAuthority {
  readonly certificate: ParsedCertificate;
  readonly privateKey: KeyObject;
}

/** @throws Error for a passphrase that is too short to be one. */
export function readPassphrase(file: string): string {
  const passphrase = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  if (passphrase.length < MIN_PASSPHRASE_LENGTH) {
    throw new Error(`${file}: a passphrase for CA keys has at least ${MIN_PASSPHRASE_LENGTH} random characters`);
  }
  return passphrase;
}

/** @throws DomainError `ca.key_unavailable` for a missing file or a wrong passphrase. */
export function readEncryptedKey(file: string, passphrase: string): KeyObject {
  try {
    const pem = readFileSync(file, 'utf8');
    if (!pem.includes('BEGIN ENCRYPTED PRIVATE KEY')) throw new Error('the key is not encrypted');
    return createPrivateKey({ key: pem, passphrase });
  } catch (cause) {
    throw new DomainError('ca.key_unavailable', { cause, detail: `${file} cannot be opened with this passphrase` });
  }
}

/** A CA key with the certificate that names it; refuses a pair that does not belong together. */
export function openAuthority(keyFile: string, certificateFile: string, passphrase: string): OpenAuthority {
  const certificate = parseCertificate(readFileSync(certificateFile, 'utf8'));
  const privateKey = readEncryptedKey(keyFile, passphrase);
  if (!publicKeyDer(privateKey).equals(certificate.spkiDer)) {
    throw new DomainError('ca.key_unavailable', { detail: `${keyFile} is not the key of ${certificateFile}` });
  }
  return { certificate, privateKey };
}

export function publicKeyDer(privateKey: KeyObject): Buffer {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
}

export function newPrivateKey(curve: 'P-256' | 'P-384'): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: curve }).privateKey;
}

export function encryptedPem(privateKey: KeyObject, passphrase: string): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }) as string;
}

export function newSerialNumber(): SerialNumber {
  return SerialNumber.parse(randomBytes(16).toString('hex'));
}

/** Writes a file that must not exist yet, whole or not at all, on disk before this returns. */
export function writeOnce(file: string, content: string, mode: number): void {
  const partial = writePartial(file, content, mode);
  try {
    linkSync(partial, file);
  } finally {
    rmSync(partial);
  }
}

/** The same for a file that may be replaced. */
export function replaceFile(file: string, content: string, mode: number): void {
  renameSync(writePartial(file, content, mode), file);
}

function writePartial(file: string, content: string, mode: number): string {
  const partial = `${file}.${randomBytes(4).toString('hex')}.partial`;
  const descriptor = openSync(partial, 'wx', mode);
  try {
    writeSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return partial;
}

/** The folder that the ceremony owns. */
export class CaFolder {
  constructor(readonly path: string) {
    mkdirSync(join(path, 'keys'), { recursive: true, mode: 0o700 });
    mkdirSync(join(path, 'trust'), { recursive: true, mode: 0o755 });
  }

  keyFile(authority: string): string {
    return join(this.path, 'keys', `${authority}.key`);
  }

  certificateFile(authority: string): string {
    return join(this.path, 'trust', `${authority}.crt`);
  }

  hasKey(authority: string): boolean {
    return existsSync(this.keyFile(authority));
  }

  hasCertificate(authority: string): boolean {
    return existsSync(this.certificateFile(authority));
  }

  /** One line for each certificate that was issued before there was a database to log it in. */
  log(certificate: ParsedCertificate, profile: CertificateDescription['profile']): void {
    const line = {
      profile: typeof profile === 'string' ? profile : profile.name,
      issuer: certificate.issuer.text,
      subject: certificate.subject.text,
      serialNumber: certificate.serialNumber,
      thumbprint: certificate.thumbprint,
      notAfter: certificate.notAfter.toISOString(),
      certificate: Buffer.from(certificate.der).toString('base64'),
    };
    appendFileSync(join(this.path, 'issued.jsonl'), `${JSON.stringify(line)}\n`, { mode: 0o600 });
  }
}

export function certificatePem(certificate: ParsedCertificate): string {
  return toPem(certificate.der, 'CERTIFICATE');
}
