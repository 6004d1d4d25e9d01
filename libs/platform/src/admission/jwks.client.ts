import { createPublicKey } from 'node:crypto';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type Jwks, jwksChanged, jwksGet } from '@outrider/contracts';
import { type VerificationKey, verificationKeyOf } from '@outrider/crypto';
import type { Logger } from 'pino';
import { Nats } from '../nats/nats.client.js';
import { Subscriptions } from '../nats/subscriptions.service.js';
import { Readiness } from '../service/readiness.service.js';
import { LOGGER, RUNTIME, type Runtime } from '../service/runtime.provider.js';

const RETRY_MS = 1000;
const REFRESH_MS = 300_000;
/** A stranger's invented `kid` must not become a question a request. */
const COOLDOWN_MS = 1000;

/** The token service's public keys, in memory: asked for at start, told of changes, asked again for a `kid` that is not known. */
@Injectable()
export class JwksKeys implements OnApplicationBootstrap, OnApplicationShutdown {
  private keys: ReadonlyMap<string, VerificationKey> = new Map();
  private fetching: Promise<void> | undefined;
  private fetchedAtMs = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  /** Grows with each change: whoever caches verdicts drops them. */
  version = 0;

  constructor(
    private readonly nats: Nats,
    private readonly subscriptions: Subscriptions,
    @Inject(RUNTIME) private readonly runtime: Runtime,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly readiness: Readiness,
  ) {}

  onApplicationBootstrap(): void {
    // fleet-ca admits nobody by token; the token service puts its own keys in by `accept`.
    if (!jwksGet.from.includes(this.runtime.service)) return;
    this.readiness.add('token keys', () => ({ ok: this.keys.size > 0, detail: { keys: this.keys.size } }));
    this.subscriptions.hear(jwksChanged, (jwks) => this.accept(jwks));
    this.refreshIn(0);
  }

  onApplicationShutdown(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Takes these keys in place of the ones before. */
  accept({ keys }: Jwks): void {
    const entries = keys.map((jwk) => {
      const { kty, crv, x, y } = jwk;
      return [jwk.kid, verificationKeyOf(createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' }))] as const;
    });
    this.keys = new Map(entries);
    this.version += 1;
  }

  readonly get = (kid: string): VerificationKey | undefined => this.keys.get(kid);

  /** Asks once, whoever asks, and not again within the cooldown. Resolves to whether `kid` is known then. */
  async find(kid: string): Promise<boolean> {
    if (!jwksGet.from.includes(this.runtime.service)) return this.keys.has(kid);
    if (this.fetching || performance.now() - this.fetchedAtMs >= COOLDOWN_MS) {
      await this.fetch().catch((error: unknown) => this.logger.warn({ err: error }, 'token keys cannot be asked for'));
    }
    return this.keys.has(kid);
  }

  private fetch(): Promise<void> {
    this.fetching ??= this.nats
      .request(jwksGet, {})
      .then((jwks) => this.accept(jwks))
      .finally(() => {
        this.fetching = undefined;
        this.fetchedAtMs = performance.now();
      });
    return this.fetching;
  }

  private refreshIn(ms: number): void {
    this.timer = setTimeout(async () => {
      const found = await this.fetch().then(
        () => true,
        () => false,
      );
      if (!this.stopped) this.refreshIn(found ? REFRESH_MS : RETRY_MS);
    }, ms);
  }
}
