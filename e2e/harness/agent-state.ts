/** Where the reference agent keeps what a thief would copy. */

import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export function certificateFileOf(state: string): string {
  return join(state, 'ldevid.crt');
}

/** The key file that belongs to the certificate in force. */
export function keyFileOf(state: string): string {
  const certificate = new X509Certificate(readFileSync(certificateFileOf(state)));
  const keys = join(state, 'keys');
  const wanted = certificate.publicKey.export({ type: 'spki', format: 'der' });
  for (const name of readdirSync(keys)) {
    const key = createPrivateKey(readFileSync(join(keys, name)));
    if (createPublicKey(key).export({ type: 'spki', format: 'der' }).equals(wanted)) return join(keys, name);
  }
  throw new Error(`no key of ${certificateFileOf(state)} in ${keys}`);
}
