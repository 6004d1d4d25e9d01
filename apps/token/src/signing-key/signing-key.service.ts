import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleInit } from '@nestjs/common';
import type { DeviceClaims, OperatorClaims } from '@outrider/admission';
import { type Jwks, jwksChanged, jwksGet } from '@outrider/contracts';
import { JWS_TYP, jwsSigner } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { JwksKeys } from '@outrider/platform/admission';
import { Nats, Subscriptions } from '@outrider/platform/nats';
import { CONFIG, LOGGER, Schedule } from '@outrider/platform/service';
import type { Logger } from 'pino';
import type { TokenConfig } from '../config.js';
import { OPERATOR_TOKEN_SECONDS } from '../operator-token/issue-operator-token.js';
import { LIFETIMES } from '../vehicle-token/lifetime.js';
import type { RotationPolicy } from './rotate-keys.js';
import { currentSigningKey, publishedJwks, type SigningKey, sameJwks } from './signing-key.js';
import { SigningKeyRepository } from './signing-key.repository.js';

/** How soon a replica follows what time or another did to the keys. A key waits in state `publish` for much longer. */
const ROUND_MS = 30_000;
const LONGEST_TOKEN_SECONDS = Math.max(
  OPERATOR_TOKEN_SECONDS,
  ...Object.values(LIFETIMES).map(({ maxSeconds }) => maxSeconds),
);

/** The keys in memory: signs without the database, rotates with it, and tells everyone which keys verify. */
@Injectable()
export class SigningKeyService implements OnModuleInit, OnApplicationBootstrap {
  private signing: ((payload: string) => string) | undefined;
  private published: Jwks = { keys: [] };
  private readonly policy: RotationPolicy;

  constructor(
    private readonly keys: SigningKeyRepository,
    private readonly nats: Nats,
    private readonly subscriptions: Subscriptions,
    private readonly admissionKeys: JwksKeys,
    private readonly schedule: Schedule,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(CONFIG) { signingKeys, tokenSkewSeconds }: TokenConfig,
  ) {
    const { signSeconds, publishSeconds } = signingKeys;
    // A replica may sign for a round longer with a key that another has just retired.
    const retireSeconds = LONGEST_TOKEN_SECONDS + tokenSkewSeconds + (2 * ROUND_MS) / 1000;
    this.policy = { signSeconds, publishSeconds, retireSeconds };
  }

  async onModuleInit(): Promise<void> {
    this.use(await this.keys.allOrFirst(new Date()));
  }

  onApplicationBootstrap(): void {
    this.subscriptions.answer(jwksGet, async () => this.published);
    this.nats.publish(jwksChanged, this.published);
    this.schedule.every(ROUND_MS, 'the signing keys are as they were', () => this.rotate(new Date()));
  }

  get jwks(): Jwks {
    return this.published;
  }

  /** A compact JWT, `typ` at+jwt (RFC 9068 §2.1). */
  sign(claims: DeviceClaims | OperatorClaims): string {
    if (!this.signing) throw new DomainError('service.unavailable', { detail: 'no key signs just now' });
    return this.signing(JSON.stringify(claims));
  }

  /** Takes what steps are due by `now`, and takes up what other replicas did. Keeps what it has while the database is away. */
  async rotate(now: Date): Promise<void> {
    const steps = await this.keys.rotate(this.policy, now);
    if (steps.length > 0) this.logger.info({ steps }, 'signing keys rotated');
    const before = this.published;
    this.use(await this.keys.all());
    if (!sameJwks(before, this.published)) this.nats.publish(jwksChanged, this.published);
  }

  private use(keys: readonly SigningKey[]): void {
    const current = currentSigningKey(keys);
    this.signing = current && jwsSigner({ typ: JWS_TYP.accessToken, kid: current.kid }, current.privateKey);
    this.published = publishedJwks(keys);
    this.admissionKeys.accept(this.published);
  }
}
