import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import { CONFIG } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import type { TokenConfig } from '../config.js';
import { endpointsOf } from '../metadata/metadata.js';
import type { TokenForm } from '../oauth/token-form.js';
import type { OperatorAccount } from '../operator-token/issue-operator-token.js';
import { readClientAssertion, type VerifiedAssertion, verifyAssertion } from './client-assertion.js';
import { OperatorAccountRepository } from './operator-account.repository.js';

/** A client whose assertion verified, and is not yet used up. */
export interface AssertedClient {
  readonly account: OperatorAccount;
  readonly assertion: VerifiedAssertion;
  /** That verified it. */
  readonly publicKeyPem: string;
}

/** Service accounts at every endpoint of the operator listener: authenticated by private_key_jwt (RFC 7523), each assertion once. */
@Injectable()
export class OperatorClients {
  private readonly audiences: readonly string[];

  constructor(
    @Inject(CONFIG) private readonly config: TokenConfig,
    private readonly database: Database,
    private readonly accounts: OperatorAccountRepository,
  ) {
    const { operator } = endpointsOf({ issuer: config.tokenIssuer, operatorUrl: config.operatorUrl });
    this.audiences = [config.tokenIssuer, operator.token, operator.introspection, operator.revocation];
  }

  /** Verifies, and uses the assertion up. @throws DomainError `token.invalid_client`, `token.invalid_request` */
  async authenticate(form: TokenForm, now: Date): Promise<OperatorAccount> {
    const client = await this.assertedBy(form, now);
    await this.database.transaction((tx) => this.use(tx, client));
    return client.account;
  }

  /** @throws DomainError `token.invalid_client`, `token.invalid_request` */
  async assertedBy(form: TokenForm, now: Date): Promise<AssertedClient> {
    const { clientId, assertion } = readClientAssertion(form);
    const found = await this.accounts.find(clientId);
    if (!found) throw refused('the client is not known');
    const { account, publicKey, publicKeyPem } = found;
    const { audiences } = this;
    const skewSeconds = this.config.tokenSkewSeconds;
    const expected = { clientId: account.clientId, publicKey, audiences, nowMs: now.getTime(), skewSeconds };
    return { account, publicKeyPem, assertion: await verifyAssertion(assertion, expected) };
  }

  /** In the transaction of what it is used for. @throws DomainError `token.invalid_client` for one that was used before, or by a key of before */
  async use(tx: EntityManager, { account, assertion, publicKeyPem }: AssertedClient): Promise<void> {
    if (!(await this.accounts.useAssertion(tx, account.clientId, assertion)))
      throw refused('the assertion was used before');
    if (!(await this.accounts.holdKey(tx, account.id, publicKeyPem))) throw refused('the key was just changed');
  }
}

function refused(detail: string): DomainError {
  return new DomainError('token.invalid_client', { detail });
}
