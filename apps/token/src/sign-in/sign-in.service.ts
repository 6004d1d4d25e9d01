import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DomainError, type ErrorCode } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import { Factors } from '../person/factors.repository.js';
import { Passwords } from '../person/passwords.service.js';
import { type Person, Persons } from '../person/persons.repository.js';
import { Sealer } from '../sealing/sealer.service.js';
import { type Attempt, AttemptLog } from './attempt-log.service.js';
import { knownDevice } from './device-token.js';
import { PersonTokens, type SignedIn } from './person-tokens.service.js';
import { nextFactors, type SecondFactor, SIGN_IN_SECONDS } from './sign-in.js';
import { SignIns } from './sign-ins.repository.js';
import { networkOf } from './throttle.js';
import { type Source, Throttle } from './throttle.service.js';

/** What a second factor is owed by; `expires_in`: seconds. */
export interface OpenSignIn {
  readonly sign_in_id: string;
  readonly next: readonly SecondFactor[];
  readonly expires_in: number;
}

export interface PasswordShown {
  readonly username: string;
  readonly password: string;
  readonly scope?: string | undefined;
  readonly device_token?: string | undefined;
}

/** The first factor: a password, or the identity provider's word. */
@Injectable()
export class SignInService {
  constructor(
    private readonly database: Database,
    private readonly persons: Persons,
    private readonly factors: Factors,
    private readonly passwords: Passwords,
    private readonly signIns: SignIns,
    private readonly throttle: Throttle,
    private readonly tokens: PersonTokens,
    private readonly sealer: Sealer,
    private readonly log: AttemptLog,
  ) {}

  /**
   * One answer, after one time, for a name that nobody has and a password that is not its.
   * @throws DomainError `sign_in.refused`, `sign_in.slow_down`
   */
  async withPassword(shown: PasswordShown, remoteAddress: string, now: Date): Promise<OpenSignIn | SignedIn> {
    const person = await this.persons.byName(shown.username);
    const attempt = { what: 'password', accountId: person?.account.id, remoteAddress };
    return this.recorded(attempt, async () => {
      const device =
        person && knownDevice(shown.device_token, person.account.id, now.getTime(), (text) => this.sealer.mac(text));
      const sources = sourcesOf(shown.username, remoteAddress, device);
      await this.throttle.admit(sources, now);
      const right = await this.passwords.check(person, shown.password, { first: device !== undefined });
      if (!person || !right) throw new DomainError('sign_in.refused');
      await this.throttle.forgive(sources);
      return this.begin(person, ['pwd'], shown.scope, remoteAddress, now);
    });
  }

  /** Goes on after a first factor that was right: to the second, or where there is none, to enrolling one and nothing else. */
  begin(
    person: Person,
    firstAmr: readonly string[],
    scope: string | undefined,
    remoteAddress: string,
    now: Date,
  ): Promise<OpenSignIn | SignedIn> {
    return this.database.transaction(async (tx: EntityManager) => {
      const next = nextFactors(await this.factors.enrolled(tx, person.account.id));
      if (next.length === 0) return this.tokens.toEnrol(tx, person.account, firstAmr, remoteAddress, now);
      const id = randomUUID();
      const expiresAtMs = now.getTime() + SIGN_IN_SECONDS * 1000;
      const accountId = person.account.id;
      const fresh = { state: 'open', failures: 0, challenge: undefined } as const;
      await this.signIns.add(tx, { id, accountId, firstAmr, scope, expiresAtMs, ...fresh });
      return { sign_in_id: id, next, expires_in: SIGN_IN_SECONDS };
    });
  }

  /** Runs an attempt, and tells the decision log how it went. */
  async recorded<T>(attempt: Attempt, work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      this.log.record(attempt, 'ok');
      return result;
    } catch (error) {
      if (error instanceof DomainError) this.log.record(attempt, error.code as ErrorCode, error.detail);
      throw error;
    }
  }
}

/** A device that its person has signed in with waits for its own failures alone. */
function sourcesOf(username: string, remoteAddress: string, device: string | undefined): Source[] {
  if (device) return [{ scope: 'device', name: device }];
  const network = networkOf(remoteAddress);
  return [
    { scope: 'network', name: network },
    { scope: 'name', name: `${network}/${username}` },
  ];
}
