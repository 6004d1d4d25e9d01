import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import { CONFIG, Metrics } from '@outrider/platform/service';
import type { TokenConfig } from '../config.js';
import { type TokenAnswer, tokenAnswer } from '../oauth/token-answer.js';
import type { TokenForm } from '../oauth/token-form.js';
import { OperatorClients } from '../operator-client/operator-clients.service.js';
import { SigningKeyService } from '../signing-key/signing-key.service.js';
import { issueOperatorToken, readOperatorTokenRequest } from './issue-operator-token.js';
import { OperatorTokenRepository } from './operator-token.repository.js';

@Injectable()
export class OperatorTokenService {
  private readonly issued;

  constructor(
    @Inject(CONFIG) private readonly config: TokenConfig,
    private readonly database: Database,
    private readonly clients: OperatorClients,
    private readonly tokens: OperatorTokenRepository,
    private readonly signingKeys: SigningKeyService,
    metrics: Metrics,
  ) {
    this.issued = metrics.counter('outrider_token_issued_total', 'Tokens issued, by family.', ['family']);
  }

  async issue(form: TokenForm, remoteAddress: string): Promise<TokenAnswer> {
    const { scope } = readOperatorTokenRequest(form);
    const now = new Date();
    const client = await this.clients.assertedBy(form, now);
    const context = { issuer: this.config.tokenIssuer, nowMs: now.getTime(), jti: randomUUID() };
    const claims = issueOperatorToken(client.account, scope, context);
    await this.database.transaction(async (tx) => {
      await this.clients.use(tx, client);
      await this.tokens.record(tx, client.account, claims, remoteAddress);
    });
    this.issued.inc({ family: 'operator' });
    return tokenAnswer(this.signingKeys.sign(claims), claims);
  }
}
