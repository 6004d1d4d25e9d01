import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { CONFIG, readSecret, TrustFiles } from '@outrider/platform/service';
import type { TokenConfig } from '../config.js';
import { type EncryptionKeys, parseEncryptionKeys, seal, sealAnew, unsealByAny } from './seal.js';

/** Seals, and vouches for, by the key-encryption key that all replicas share. */
@Injectable()
export class Sealer {
  constructor(
    @Inject(CONFIG) private readonly config: TokenConfig,
    // A command that runs once reads the file once.
    @Optional() private readonly files?: TrustFiles,
  ) {
    void this.keys;
  }

  get keys(): EncryptionKeys {
    const { encryptionKeyFile } = this.config.signingKeys;
    return (
      this.files?.secret(encryptionKeyFile, parseEncryptionKeys) ?? parseEncryptionKeys(readSecret(encryptionKeyFile))
    );
  }

  seal(secret: Uint8Array, context: string): Buffer {
    return seal(secret, context, this.keys[0], randomBytes(12));
  }

  /** Throws a plain error for what was sealed under another context or key. */
  unseal(sealed: Uint8Array, context: string): Buffer {
    return unsealByAny(sealed, context, this.keys);
  }

  /** The same secret by the first key; `undefined` where that one sealed it. Throws as `unseal` does. */
  sealAnew(sealed: Uint8Array, context: string): Buffer | undefined {
    return sealAnew(sealed, context, this.keys, randomBytes(12));
  }

  /** HMAC-SHA-256, by a key that seals nothing. With the first key it changes: a device that was remembered shows a second factor again. */
  mac(text: string): Buffer {
    const key = Buffer.from(hkdfSync('sha256', this.keys[0], '', 'outrider/token-mac/v1', 32));
    return createHmac('sha256', key).update(text).digest();
  }
}
