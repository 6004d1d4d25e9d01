import { createSign } from 'node:crypto';
import { signDer } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { keyAlgorithmOf } from '@outrider/x509';
import { publicKeyDer, readEncryptedKey } from '../ceremony/ca-files.store.js';
import { CA_DIGEST, type CaKey } from './ca-key.js';

/** @throws DomainError `ca.key_unavailable` for a missing file, a wrong passphrase, a key on another curve. */
export function openFileKey(file: string, passphrase: string): CaKey {
  const privateKey = readEncryptedKey(file, passphrase);
  const spkiDer = new Uint8Array(publicKeyDer(privateKey));
  const algorithm = keyAlgorithmOf(spkiDer);
  if (algorithm !== 'P-256' && algorithm !== 'P-384') {
    throw new DomainError('ca.key_unavailable', { detail: `${file} holds no P-256 or P-384 key` });
  }
  return {
    algorithm,
    spkiDer,
    sign: (message) => signDer(privateKey, message),
    signParts: () => {
      const signature = createSign(CA_DIGEST[algorithm]);
      return { update: (part) => void signature.update(part), finish: () => signature.sign(privateKey) };
    },
  };
}
