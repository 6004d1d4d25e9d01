import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type ParsedCertificate, parseCertificates, toPem } from '@outrider/x509';

/** Key and chain in one file: whoever reads it has a pair that fits. */
export function renewedIdentityFile(stateDirectory: string): string {
  return join(stateDirectory, 'identity.pem');
}

/** Writes both for the service alone to read; a crash leaves the pair of before or the new one, on the disk and not only in its cache. */
export function writeIdentity(stateDirectory: string, key: KeyObject, chain: readonly ParsedCertificate[]): void {
  const file = renewedIdentityFile(stateDirectory);
  const neighbour = `${file}.${process.pid}.new`;
  const pem = [
    key.export({ type: 'pkcs8', format: 'pem' }) as string,
    ...chain.map(({ der }) => toPem(der, 'CERTIFICATE')),
  ];
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  // One that is left over might have been made by somebody else, who would then keep it open.
  rmSync(neighbour, { force: true });
  try {
    const handle = openSync(neighbour, 'wx', 0o600);
    try {
      chmodSync(neighbour, 0o600);
      writeSync(handle, pem.join(''));
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(neighbour, file);
  } catch (error) {
    rmSync(neighbour, { force: true });
    throw error;
  }
  const folder = openSync(stateDirectory, 'r');
  fsyncSync(folder);
  closeSync(folder);
}

/** Before anything is asked for that would be lost. @throws Error where the folder cannot be written */
export function checkWritable(stateDirectory: string): void {
  const trial = join(stateDirectory, `.trial.${process.pid}`);
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  rmSync(trial, { force: true });
  try {
    closeSync(openSync(trial, 'wx', 0o600));
  } finally {
    rmSync(trial, { force: true });
  }
}

/** @throws Error for a key that is not the first certificate's, and for what is no PEM */
export function parsePair(certificate: string, key: string) {
  const chain = parseCertificates(certificate);
  const privateKey = createPrivateKey(key);
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return { certificate, key, privateKey, chain, fits: chain[0] !== undefined && spki.equals(chain[0].spkiDer) };
}

/** @throws Error for what was not written by `writeIdentity` */
export function parseIdentity(pem: string) {
  const [key] = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n/.exec(pem) ?? [];
  if (key === undefined) throw new Error('no private key is in it');
  return parsePair(pem.replace(key, ''), key);
}
