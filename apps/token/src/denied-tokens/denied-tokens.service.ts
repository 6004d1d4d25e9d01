import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { denylistAdd } from '@outrider/contracts';
import { Nats } from '@outrider/platform/nats';
import { CONFIG, Schedule } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import type { TokenConfig } from '../config.js';
import type { IssuedToken } from './issued-token.js';
import { OwedDenials } from './owed-denials.repository.js';

/** Names that the denylist takes in one message. */
const MAX_ENTRIES = 1000;
/** How soon revocation is asked again while it is away. */
const SETTLE_MS = 2_000;

/** Access tokens that end before their time: on the denylist of every service until nobody would take them any more. */
@Injectable()
export class DeniedTokens implements OnApplicationBootstrap {
  constructor(
    @Inject(CONFIG) private readonly config: TokenConfig,
    private readonly nats: Nats,
    private readonly owed: OwedDenials,
    private readonly schedule: Schedule,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule.every(SETTLE_MS, 'tokens that were ended are not denied yet', () => this.settle());
  }

  /**
   * In the transaction that ends them: from its commit on their denial is asked for until revocation confirms it, whoever restarts.
   * `settle` does not wait for the next round.
   */
  owe(tx: EntityManager, tokens: readonly IssuedToken[], reason: string): Promise<void> {
    return this.owed.add(tx, tokens, reason);
  }

  /** Asks for all that is owed. Asking twice, as two replicas may, is safe. @throws DomainError `service.upstream_unavailable`: it stays owed */
  async settle(): Promise<void> {
    const skewMs = this.config.tokenSkewSeconds * 1000;
    for (;;) {
      const owed = await this.owed.list(MAX_ENTRIES);
      if (owed.length === 0) return;
      for (const reason of new Set(owed.map((one) => one.reason))) {
        const alike = owed.filter((one) => one.reason === reason);
        await this.deny(
          alike.filter(({ expiresAt }) => expiresAt.getTime() > Date.now() - skewMs),
          reason,
        );
        await this.owed.remove(alike.map(({ jti }) => jti));
      }
      if (owed.length < MAX_ENTRIES) return;
    }
  }

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
