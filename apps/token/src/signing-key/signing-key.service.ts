import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import type { DeviceClaims, OperatorClaims } from '@outrider/admission';
import { type Jwks, jwksChanged, jwksGet } from '@outrider/contracts';
import { JWS_TYP, signJws } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { JwksKeys } from '@outrider/platform/admission';
import { Nats, Subscriptions } from '@outrider/platform/nats';
import { LOGGER } from '@outrider/platform/service';
import type { Logger } from 'pino';
import { currentSigningKey, publishedJwks, type SigningKey, sameJwks } from './signing-key.js';
import { SigningKeyRepository } from './signing-key.repository.js';

/** How soon a replica follows what another did to the keys. A key waits in state `publish` for much longer. */
const RELOAD_MS = 30_000;

/** The keys in memory: signs without the database, and tells everyone which keys verify. */
@Injectable()
export class SigningKeyService implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
  private signing: SigningKey | undefined;
  private published: Jwks = { keys: [] };
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly keys: SigningKeyRepository,
    private readonly nats: Nats,
    private readonly subscriptions: Subscriptions,
    private readonly admissionKeys: JwksKeys,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async onModuleInit(): Promise<void> {
    this.use(await this.keys.allOrFirst(new Date()));
  }

  onApplicationBootstrap(): void {
    this.subscriptions.answer(jwksGet, async () => this.published);
    this.nats.publish(jwksChanged, this.published);
    this.timer = setInterval(() => void this.reload(), RELOAD_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  get jwks(): Jwks {
    return this.published;
  }

  /** A compact JWT, `typ` at+jwt (RFC 9068 §2.1). */
  sign(claims: DeviceClaims | OperatorClaims): string {
    if (!this.signing) throw new DomainError('service.unavailable', { detail: 'no key signs just now' });
    const { kid, privateKey } = this.signing;
    return signJws({ header: { typ: JWS_TYP.accessToken, kid }, payload: JSON.stringify(claims), key: privateKey });
  }

  /** Takes up what changed in the database; keeps what it has while the database is away. */
  async reload(): Promise<void> {
    try {
      const before = this.published;
      this.use(await this.keys.all());
      if (!sameJwks(before, this.published)) this.nats.publish(jwksChanged, this.published);
    } catch (error) {
      this.logger.warn({ err: error }, 'the signing keys are as they were');
    }
  }

  private use(keys: readonly SigningKey[]): void {
    this.signing = currentSigningKey(keys);
    this.published = publishedJwks(keys);
    this.admissionKeys.accept(this.published);
  }
}
