import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, readSecret } from '@outrider/platform/service';
import type { TokenConfig } from '../config.js';
import { parseEncryptionKey, seal, unseal } from './seal.js';

/** Seals, and vouches for, by the key-encryption key that all replicas share. */
@Injectable()
export class Sealer {
  private readonly key: Buffer;
  private readonly macKey: Buffer;

  constructor(@Inject(CONFIG) config: TokenConfig) {
    this.key = parseEncryptionKey(readSecret(config.signingKeys.encryptionKeyFile));
    this.macKey = Buffer.from(hkdfSync('sha256', this.key, '', 'outrider/token-mac/v1', 32));
  }

  seal(secret: Uint8Array, context: string): Buffer {
    return seal(secret, context, this.key, randomBytes(12));
  }

  /** Throws a plain error for what was sealed under another context or key. */
  unseal(sealed: Uint8Array, context: string): Buffer {
    return unseal(sealed, context, this.key);
  }

  /** HMAC-SHA-256, by a key that seals nothing. */
  mac(text: string): Buffer {
    return createHmac('sha256', this.macKey).update(text).digest();
  }
}
