import { Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import type { TokenAnswer } from '../oauth/token-answer.js';
import type { TokenForm } from '../oauth/token-form.js';
import { OperatorClients } from '../operator-client/operator-clients.service.js';
import { readOperatorTokenRequest, signedAssertion } from './issue-operator-token.js';
import { OperatorTokenIssuer } from './operator-token-issuer.service.js';

/** Tokens for service accounts. */
@Injectable()
export class OperatorTokenService {
  constructor(
    private readonly database: Database,
    private readonly clients: OperatorClients,
    private readonly issuer: OperatorTokenIssuer,
  ) {}

  async issue(form: TokenForm, remoteAddress: string): Promise<TokenAnswer> {
    const { scope } = readOperatorTokenRequest(form);
    const now = new Date();
    const client = await this.clients.assertedBy(form, now);
    return this.database.transaction(async (tx) => {
      await this.clients.use(tx, client);
      const signIn = signedAssertion(now.getTime());
      return this.issuer.issueTo(tx, client.account, { scope, signIn, remoteAddress }, now);
    });
  }
}
