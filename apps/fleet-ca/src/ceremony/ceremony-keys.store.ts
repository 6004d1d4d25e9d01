import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { KeyReference } from '../authorities/manifest.js';
import type { CaKey } from '../keys/ca-key.js';
import type { Curve } from '../keys/ec-point.js';
import { openFileKey } from '../keys/file-key.store.js';
import type { Pkcs11Token } from '../keys/pkcs11-token.provider.js';
import { encryptedPem, newPrivateKey, writeOnce } from './ca-files.store.js';

export interface KeyPlace {
  readonly out: string;
  readonly passphrase: string;
  /** Where keys of kind `pkcs11` are; without it there are none. */
  readonly token?: Pkcs11Token | undefined;
}

/** @throws DomainError `ca.key_unavailable` */
export function openKey(place: KeyPlace, reference: KeyReference): CaKey {
  return reference.kind === 'file'
    ? openFileKey(join(place.out, reference.file), place.passphrase)
    : tokenOf(place, reference.label).openKey(reference.label);
}

export function hasKey(place: KeyPlace, reference: KeyReference): boolean {
  return reference.kind === 'file'
    ? existsSync(join(place.out, reference.file))
    : tokenOf(place, reference.label).hasKey(reference.label);
}

/** The key of an authority's first generation. One that is there without a certificate is what a ceremony cut short leaves behind: it is used. */
export function makeFirstKey(place: KeyPlace, reference: KeyReference, curve: Curve): CaKey {
  if (!hasKey(place, reference)) makeNewKey(place, reference, curve);
  return openKey(place, reference);
}

/** A key for the next generation, kept as the key before it is. The same holds for one that is there already. */
export function makeKey(place: KeyPlace, authority: string, generation: number, before: KeyReference): KeyReference {
  const reference = keyReference(before.kind, authority, generation);
  if (!hasKey(place, reference)) makeNewKey(place, reference, openKey(place, before).algorithm);
  return reference;
}

/** Where the key of a generation is kept: `keys/vehicle-ca.key`, `keys/vehicle-ca.2.key`, or in the token as `vehicle-ca-1`. */
export function keyReference(kind: KeyReference['kind'], authority: string, generation: number): KeyReference {
  if (kind === 'pkcs11') return { kind, label: `${authority}-${generation}` };
  return { kind, file: generation === 1 ? `keys/${authority}.key` : `keys/${authority}.${generation}.key` };
}

function makeNewKey(place: KeyPlace, reference: KeyReference, curve: Curve): void {
  if (reference.kind === 'pkcs11') {
    tokenOf(place, reference.label).generate(reference.label, curve);
  } else {
    writeOnce(join(place.out, reference.file), encryptedPem(newPrivateKey(curve), place.passphrase), 0o600);
  }
}

function tokenOf({ token }: KeyPlace, label: string): Pkcs11Token {
  if (token === undefined) throw new Error(`the key ${label} is in a token: name it by --pkcs11-module`);
  return token;
}
