import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { KeyReference } from '../authorities/manifest.js';
import type { CaKey } from '../keys/ca-key.js';
import { openFileKey } from '../keys/file-key.store.js';
import { encryptedPem, newPrivateKey, writeOnce } from './ca-files.store.js';

export interface KeyPlace {
  readonly out: string;
  readonly passphrase: string;
}

/** @throws DomainError `ca.key_unavailable` */
export function openKey({ out, passphrase }: KeyPlace, reference: KeyReference): CaKey {
  if (reference.kind !== 'file') throw new Error(`the key ${reference.label} is in a token`);
  return openFileKey(join(out, reference.file), passphrase);
}

/**
 * A key for the next generation, kept as the key before it is. One that is there without a certificate is what a ceremony cut short
 * leaves behind: it is used.
 */
export function makeKey(place: KeyPlace, authority: string, generation: number, before: KeyReference): KeyReference {
  if (before.kind !== 'file') throw new Error(`the key of ${authority} is in a token`);
  const reference = { kind: 'file', file: `keys/${authority}.${generation}.key` } as const;
  const file = join(place.out, reference.file);
  if (!existsSync(file)) {
    const { algorithm } = openKey(place, before);
    writeOnce(file, encryptedPem(newPrivateKey(algorithm), place.passphrase), 0o600);
  }
  return reference;
}
