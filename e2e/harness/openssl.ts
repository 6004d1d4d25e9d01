/** Keys, requests and certificates by openssl, which shares no code with the suite. */
import { readFileSync, writeFileSync } from 'node:fs';
import { file } from './folder.js';
import { must } from './run.js';

export type KeyType = 'P-256' | 'P-384' | 'Ed25519';

/** Makes a private key file and returns its path. */
export async function newKey(name: string, type: KeyType): Promise<string> {
  const options =
    type === 'Ed25519' ? ['-algorithm', 'ed25519'] : ['-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${type}`];
  return file(name, (await must('openssl', ['genpkey', ...options])).stdout);
}

/** A PKCS#10 request in base64, as EST wants it. `extra`: further arguments of `openssl req`. */
export async function newRequest(key: string, subject: string, extra: readonly string[] = []): Promise<string> {
  const { bytes } = await must('openssl', ['req', '-new', '-key', key, '-subj', subject, '-outform', 'DER', ...extra]);
  return bytes.toString('base64').replace(/(.{64})/g, '$1\n');
}

/** The certificates of an EST answer, in its order, as PEM. */
export async function certificatesOf(answer: string): Promise<string[]> {
  const pkcs7 = `-----BEGIN PKCS7-----\n${answer.trim()}\n-----END PKCS7-----\n`;
  const { stdout } = await must('openssl', ['pkcs7', '-print_certs'], { input: pkcs7 });
  return stdout.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? [];
}

/** Base64url SHA-256 of the DER: `x5t#S256`. */
export async function thumbprintOf(certificate: string): Promise<string> {
  const { bytes } = await must('openssl', ['x509', '-in', certificate, '-outform', 'DER']);
  return (await must('openssl', ['dgst', '-sha256', '-binary'], { input: bytes })).bytes.toString('base64url');
}

/** Upper-case hex, as openssl prints it. */
export async function serialOf(certificate: string): Promise<string> {
  return (await must('openssl', ['x509', '-in', certificate, '-noout', '-serial'])).stdout
    .trim()
    .replace('serial=', '');
}

/** As renewal-info names a certificate (RFC 9773 §4.1). */
export async function certificateIdOf(certificate: string): Promise<string> {
  const { stdout } = await must('openssl', ['x509', '-in', certificate, '-noout', '-ext', 'authorityKeyIdentifier']);
  const keyId = /(?:[0-9A-F]{2}:){19}[0-9A-F]{2}/.exec(stdout)?.[0].replaceAll(':', '') ?? '';
  const serial = await serialOf(certificate);
  const positive = Number.parseInt(serial.slice(0, 2), 16) >= 0x80 ? `00${serial}` : serial;
  return [keyId, positive].map((hex) => Buffer.from(hex, 'hex').toString('base64url')).join('.');
}

export async function textOf(certificate: string): Promise<string> {
  return (await must('openssl', ['x509', '-in', certificate, '-noout', '-text'])).stdout;
}

/** An ECDSA signature in DER over `message`, by `openssl dgst`. */
export async function signEcdsa(key: string, message: string): Promise<Buffer> {
  return (await must('openssl', ['dgst', '-sha256', '-sign', key], { input: message })).bytes;
}

/** curl and openssl read one file: leaf, then what it chains to. */
export function joined(name: string, ...files: string[]): string {
  const path = file(name, '');
  writeFileSync(path, files.map((one) => readFileSync(one, 'utf8')).join(''));
  return path;
}
