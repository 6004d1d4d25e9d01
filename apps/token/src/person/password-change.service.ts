import { Inject, Injectable } from '@nestjs/common';
import type { OperatorClaims } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import { CONFIG, LOGGER } from '@outrider/platform/service';
import type { Logger } from 'pino';
import type { TokenConfig } from '../config.js';
import { DeniedTokens } from '../denied-tokens/denied-tokens.service.js';
import { OperatorAccounts } from '../operator-account/operator-accounts.repository.js';
import { SignIns } from '../sign-in/sign-ins.repository.js';
import { Throttle } from '../sign-in/throttle.service.js';
import { Enrolment } from './enrolment.service.js';
import { Passwords } from './passwords.service.js';
import { Persons } from './persons.repository.js';

/** A person gives themselves another password, which ends whatever the old one has led to elsewhere. */
@Injectable()
export class PasswordChange {
  constructor(
    @Inject(CONFIG) private readonly config: TokenConfig,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly database: Database,
    private readonly enrolment: Enrolment,
    private readonly persons: Persons,
    private readonly passwords: Passwords,
    private readonly throttle: Throttle,
    private readonly signIns: SignIns,
    private readonly accounts: OperatorAccounts,
    private readonly denied: DeniedTokens,
  ) {}

  /**
   * Tokens of other sign-ins are denied, sign-ins under way are over; the token that asks goes on.
   * @throws DomainError `sign_in.refused` for a wrong current password, `sign_in.slow_down`, `sign_in.factor_missing` for who has none
   */
  async change(claims: OperatorClaims, current: string, next: string, now: Date): Promise<void> {
    const { person } = await this.database.transaction((tx) => this.enrolment.mayChange(tx, claims));
    const { account, passwordHash } = person;
    if (passwordHash === undefined) throw new DomainError('sign_in.factor_missing', { detail: 'there is no password' });
    // Whoever has got hold of the token guesses here as at the sign-in, and no faster.
    const sources = [{ scope: 'factor', name: account.id }] as const;
    await this.throttle.admit(sources, now);
    if (!(await this.passwords.check(person, current, { first: true }))) throw new DomainError('sign_in.refused');
    await this.throttle.forgive(sources);
    const hash = await this.passwords.hash(next);
    await this.database.transaction(async (tx) => {
      await this.enrolment.mayChange(tx, claims);
      await this.persons.setPassword(tx, account.id, hash);
      await this.signIns.endOf(tx, account.id);
      const since = new Date(now.getTime() - this.config.tokenSkewSeconds * 1000);
      const live = await this.accounts.liveTokens(tx, account.id, since);
      const others = live.filter(({ jti }) => jti !== claims.jti);
      await this.denied.owe(tx, others, 'its password was changed');
    });
    // The password is another one from here on, whatever revocation says: it is asked until it confirms.
    await this.denied.settle().catch((error: unknown) => this.logger.warn({ err: error }, 'tokens are not denied yet'));
  }
}
