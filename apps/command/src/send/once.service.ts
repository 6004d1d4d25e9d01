import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { CONFIG } from '@outrider/platform/service';
import type { KeyClaim } from '../command/new-commands.repository.js';
import type { Config } from '../config.js';
import { IdempotencyKeys } from './idempotency-keys.repository.js';

/** A key as it came, and what it stands for. */
export interface RequestKey {
  readonly key: string;
  readonly fingerprint: string;
}

/** What a request comes to. `store`: all of it with the key's claim in one commit; false where the key is taken. */
export interface Prepared<Answer> {
  readonly answer: Answer;
  readonly store: (claim: KeyClaim) => Promise<boolean>;
}

/** Another's claim on a key that ran out this very moment. */
const CLAIMS = 3;

/** Once per (operator, key): the same body again gets the same answer. What is refused leaves the key free. */
@Injectable()
export class OnceService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly keys: IdempotencyKeys,
  ) {}

  /** @throws DomainError `command.idempotency_mismatch`, and what `prepare` throws where the key is free */
  async answer<Answer>(
    by: string,
    { key, fingerprint }: RequestKey,
    now: Date,
    prepare: () => Promise<Prepared<Answer>>,
  ): Promise<Answer> {
    const oldest = new Date(now.getTime() - this.config.idempotencySeconds * 1000);
    const known = await this.keys.find(by, key, fingerprint, oldest);
    if (known !== undefined) return JSON.parse(known) as Answer;
    const { answer, store } = await prepare();
    const claim = { by, key, fingerprint, answer: JSON.stringify(answer), at: now };
    for (let attempt = 0; attempt < CLAIMS; attempt += 1) {
      if (await store(claim)) return answer;
      const earlier = await this.keys.find(by, key, fingerprint, oldest);
      if (earlier !== undefined) return JSON.parse(earlier) as Answer;
      await this.keys.release(by, key, oldest);
    }
    throw new DomainError('service.unavailable', { detail: 'the key is released just now', retryAfterSeconds: 1 });
  }
}
