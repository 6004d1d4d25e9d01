import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { hashPassword, isPassword, needsRehash, SALT_BYTES } from './password-hash.js';
import { type Person, Persons } from './persons.repository.js';

/** Each check takes 19 MiB and a thread of the pool for a tenth of a second: what runs at once, and what waits, is bounded. */
const MAX_RUNNING = 2;
const MAX_WAITING = 32;

/** Checks passwords; an unknown name costs what a known one does. */
@Injectable()
export class Passwords {
  private readonly decoy = hashPassword(randomBytes(16).toString('hex'), randomBytes(SALT_BYTES));
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  constructor(private readonly persons: Persons) {}

  /** `first`: before all who wait. @throws DomainError `service.unavailable` when too many wait */
  async check(person: Person | undefined, password: string, { first = false } = {}): Promise<boolean> {
    const stored = person?.passwordHash;
    const right = await this.inTurn(first, async () => isPassword(password, stored ?? (await this.decoy)));
    if (!person || stored === undefined || !right) return false;
    if (needsRehash(stored)) {
      const hash = await this.hash(password);
      await this.persons.replaceHash(person.account.id, stored, hash);
    }
    return true;
  }

  /** In its turn, as checks are. */
  hash(password: string): Promise<string> {
    return this.inTurn(true, () => hashPassword(password, randomBytes(SALT_BYTES)));
  }

  private async inTurn<T>(first: boolean, work: () => Promise<T>): Promise<T> {
    if (this.running >= MAX_RUNNING) {
      if (!first && this.waiting.length >= MAX_WAITING)
        throw new DomainError('service.unavailable', { detail: 'too many sign-ins at once', retryAfterSeconds: 1 });
      await new Promise<void>((resolve) => (first ? this.waiting.unshift(resolve) : this.waiting.push(resolve)));
    } else this.running += 1;
    try {
      return await work();
    } finally {
      // The place is handed on, so that nobody slips in between.
      const next = this.waiting.shift();
      if (next) next();
      else this.running -= 1;
    }
  }
}
