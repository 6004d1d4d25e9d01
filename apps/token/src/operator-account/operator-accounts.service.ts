import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { documentTag, type IfMatch, requireMatch } from '@outrider/platform/http';
import { Database } from '@outrider/platform/postgres';
import { CONFIG, LOGGER } from '@outrider/platform/service';
import type { Logger } from 'pino';
import type { TokenConfig } from '../config.js';
import { DeniedTokens } from '../denied-tokens/denied-tokens.service.js';
import { OperatorAccountRepository } from '../operator-client/operator-account.repository.js';
import {
  type Account,
  type AccountBody,
  type AccountPatch,
  accountDocument,
  changeAccount,
  makeAccount,
} from './operator-account.js';
import { OperatorAccounts } from './operator-accounts.repository.js';

/** Makes and changes operators' accounts; what a change takes away ends the tokens that say otherwise. */
@Injectable()
export class OperatorAccountService {
  constructor(
    @Inject(CONFIG) private readonly config: TokenConfig,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly database: Database,
    private readonly actors: OperatorAccountRepository,
    private readonly accounts: OperatorAccounts,
    private readonly denied: DeniedTokens,
  ) {}

  /** `subject`: of who makes it. @throws DomainError `operator.own_account`, `.role_too_wide`, `.exists`, `auth.role_insufficient` */
  make(subject: string, body: AccountBody, now: Date): Promise<Account> {
    return this.database.transaction(async (tx) => {
      const account = makeAccount(await this.actors.mustFind(tx, subject), body, { id: randomUUID(), now });
      await this.accounts.add(tx, account);
      const { clientId, identity, roles } = account;
      this.logger.info({ subject, clientId, identity, roles }, 'an operator account was made');
      return account;
    });
  }

  /**
   * The change is made whether or not revocation answers; tokens that it ends are denied as soon as that does (503 until then).
   * @throws DomainError `operator.not_found`, `.own_account`, `.role_too_wide`, `.person_has_no_key`, `request.precondition_failed`,
   * `service.upstream_unavailable`
   */
  async change(subject: string, id: string, patch: AccountPatch, ifMatch: IfMatch, now: Date): Promise<Account> {
    const { account, ends } = await this.database.transaction(async (tx) => {
      const by = await this.actors.mustFind(tx, subject);
      const before = await this.accounts.mustLock(tx, id);
      requireMatch(ifMatch, documentTag(accountDocument(before)));
      const changed = changeAccount(by, before, patch, now);
      await this.accounts.save(tx, changed.account);
      if (changed.ends) {
        const since = new Date(now.getTime() - this.config.tokenSkewSeconds * 1000);
        await this.denied.owe(tx, await this.accounts.liveTokens(tx, id, since), 'its account was changed');
      }
      return changed;
    });
    const { clientId, roles, enabled } = account;
    this.logger.info(
      { subject, clientId, roles, enabled, newKey: 'public_key' in patch },
      'an operator account was changed',
    );
    if (ends) await this.denied.settle();
    return account;
  }
}
