import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { ACR } from '@outrider/admission';
import { CONFIG, Metrics } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import type { TokenConfig } from '../config.js';
import { elevationFor } from '../elevation/elevated-scope.js';
import { Elevations } from '../elevation/elevations.repository.js';
import { type TokenAnswer, tokenAnswer } from '../oauth/token-answer.js';
import { OperatorAccountRepository } from '../operator-client/operator-account.repository.js';
import { SigningKeyService } from '../signing-key/signing-key.service.js';
import { issueOperatorToken, type OperatorAccount, type SignIn } from './issue-operator-token.js';
import { OperatorTokenRepository } from './operator-token.repository.js';

export interface OperatorAsk {
  /** As asked for; undefined: all that the roles carry. */
  readonly scope: string | undefined;
  readonly signIn: SignIn;
  readonly remoteAddress: string;
}

/** Issues operators' tokens, however the operator was authenticated. */
@Injectable()
export class OperatorTokenIssuer {
  private readonly issued;

  constructor(
    @Inject(CONFIG) private readonly config: TokenConfig,
    private readonly accounts: OperatorAccountRepository,
    private readonly tokens: OperatorTokenRepository,
    private readonly elevations: Elevations,
    private readonly signingKeys: SigningKeyService,
    metrics: Metrics,
  ) {
    this.issued = metrics.counter('outrider_token_issued_total', 'Tokens issued, by family.', ['family']);
  }

  /** In the transaction that uses up what the operator authenticated with. The answer is good once that has committed. @throws DomainError `token.invalid_scope`, `token.invalid_client` */
  async issueTo(
    tx: EntityManager,
    account: OperatorAccount,
    { scope, signIn, remoteAddress }: OperatorAsk,
    now: Date,
  ): Promise<TokenAnswer> {
    await this.accounts.hold(tx, account);
    // A password alone gets no right that a role or an elevation gives.
    const asked = signIn.acr === ACR.password ? undefined : scope;
    const grants = asked === undefined ? [] : await this.elevations.heldGrants(tx, account.id);
    const grant = elevationFor(asked, grants, account.roles, now);
    const context = { issuer: this.config.tokenIssuer, nowMs: now.getTime(), jti: randomUUID() };
    const claims = issueOperatorToken(account, scope, signIn, grant, context);
    await this.tokens.record(tx, account, claims, remoteAddress);
    this.issued.inc({ family: 'operator' });
    return tokenAnswer(this.signingKeys.sign(claims), claims);
  }
}
