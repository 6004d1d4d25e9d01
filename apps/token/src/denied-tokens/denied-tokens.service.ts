import { Inject, Injectable } from '@nestjs/common';
import { denylistAdd } from '@outrider/contracts';
import { Nats } from '@outrider/platform/nats';
import { CONFIG } from '@outrider/platform/service';
import type { TokenConfig } from '../config.js';

/** Names that the denylist takes in one message. */
const MAX_ENTRIES = 1000;

export interface IssuedToken {
  readonly jti: string;
  readonly expiresAt: Date;
}

/** Access tokens that end before their time: on the denylist of every service until nobody would take them any more. */
@Injectable()
export class DeniedTokens {
  constructor(
    @Inject(CONFIG) private readonly config: TokenConfig,
    private readonly nats: Nats,
  ) {}

  /** Resolves once revocation has committed them. @throws DomainError `service.upstream_unavailable`: some may still work; asking again is safe. */
  async deny(tokens: readonly IssuedToken[], reason: string): Promise<void> {
    const skewMs = this.config.tokenSkewSeconds * 1000;
    const entries = tokens.map(({ jti, expiresAt }) => ({
      kind: 'token' as const,
      value: jti,
      mode: 'deny' as const,
      reason,
      until: new Date(expiresAt.getTime() + skewMs).toISOString(),
      lasting: true as const,
    }));
    for (let at = 0; at < entries.length; at += MAX_ENTRIES) {
      await this.nats.request(denylistAdd, { entries: entries.slice(at, at + MAX_ENTRIES), waitMs: 0 });
    }
  }
}
