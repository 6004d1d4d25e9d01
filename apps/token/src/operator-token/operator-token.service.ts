import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import { CONFIG, Metrics } from '@outrider/platform/service';
import type { TokenConfig } from '../config.js';
import { tokenEndpoints } from '../metadata/metadata.js';
import { type TokenAnswer, tokenAnswer } from '../oauth/token-answer.js';
import type { TokenForm } from '../oauth/token-form.js';
import { SigningKeyService } from '../signing-key/signing-key.service.js';
import { issueOperatorToken, readOperatorTokenRequest } from './issue-operator-token.js';
import { OperatorAccountRepository } from './operator-account.repository.js';
import { verifyAssertion } from './operator-assertion.js';
import { OperatorTokenRepository } from './operator-token.repository.js';

@Injectable()
export class OperatorTokenService {
  private readonly audiences: readonly string[];
  private readonly issued;

  constructor(
    @Inject(CONFIG) private readonly config: TokenConfig,
    private readonly database: Database,
    private readonly accounts: OperatorAccountRepository,
    private readonly tokens: OperatorTokenRepository,
    private readonly signingKeys: SigningKeyService,
    metrics: Metrics,
  ) {
    const { tokenIssuer: issuer, operatorUrl } = config;
    this.audiences = [issuer, tokenEndpoints({ issuer, operatorUrl }).operator];
    this.issued = metrics.counter('outrider_token_issued_total', 'Tokens issued, by family.', ['family']);
  }

  async issue(form: TokenForm, remoteAddress: string): Promise<TokenAnswer> {
    const request = readOperatorTokenRequest(form);
    const found = await this.accounts.find(request.clientId);
    if (!found) throw new DomainError('token.invalid_client', { detail: 'the client is not known' });
    const { account, publicKey } = found;
    const nowMs = Date.now();
    const assertion = await verifyAssertion(request.assertion, {
      clientId: account.clientId,
      publicKey,
      audiences: this.audiences,
      nowMs,
      skewSeconds: this.config.tokenSkewSeconds,
    });
    const context = { issuer: this.config.tokenIssuer, nowMs, jti: randomUUID() };
    const claims = issueOperatorToken(account, request.scope, context);
    await this.database.transaction(async (tx) => {
      const first = await this.tokens.useAssertion(tx, account.clientId, assertion);
      if (!first) throw new DomainError('token.invalid_client', { detail: 'the assertion was used before' });
      await this.tokens.record(tx, account, claims, remoteAddress);
    });
    this.issued.inc({ family: 'operator' });
    return tokenAnswer(this.signingKeys.sign(claims), claims);
  }
}
