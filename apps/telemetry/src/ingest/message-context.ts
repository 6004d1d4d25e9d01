/** What a message is checked with: a key, the time, the token it came with. */
import type { VerificationKey } from '@outrider/crypto';
import type { Thumbprint } from '@outrider/ids';

/** Whose key the message must verify under. */
export interface Signer {
  readonly thumbprint: Thumbprint;
  readonly key: VerificationKey;
}

/** `skewSeconds`: how far ahead or behind `ts` may be. */
export interface SkewRule {
  readonly nowMs: number;
  readonly skewSeconds: number;
}

/** What every message of a request shares. `tokenId`: `jti` of its access token. */
export interface MessageContext extends SkewRule {
  readonly tokenId: string;
}
