import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { ACR } from '@outrider/admission';
import type { EntityManager } from 'typeorm';
import type { TokenAnswer } from '../oauth/token-answer.js';
import type { OperatorAccount } from '../operator-token/issue-operator-token.js';
import { OperatorTokenIssuer } from '../operator-token/operator-token-issuer.service.js';
import { Sealer } from '../sealing/sealer.service.js';
import { deviceToken } from './device-token.js';

/** `next`: nothing; `enrol`: this token does nothing but enrol a second factor. `device_token`: for the next sign-in from here. */
export interface SignedIn extends TokenAnswer {
  readonly next: readonly 'enrol'[];
  readonly device_token?: string;
}

/** `authTime`: seconds since the epoch, where somebody else signed the person in earlier; `scope`: as asked for. */
export interface FullSignIn {
  readonly amr: readonly string[];
  readonly scope: string | undefined;
  readonly remoteAddress: string;
  readonly now: Date;
  readonly authTime?: number | undefined;
}

/** Tokens for people: all that the roles carry after two factors, enrolling alone after one. */
@Injectable()
export class PersonTokens {
  constructor(
    private readonly issuer: OperatorTokenIssuer,
    private readonly sealer: Sealer,
  ) {}

  async full(tx: EntityManager, account: OperatorAccount, signedIn: FullSignIn): Promise<SignedIn> {
    const { amr, scope, remoteAddress, now, authTime = seconds(now) } = signedIn;
    const signIn = { acr: ACR.mfa, amr, authTime: Math.min(authTime, seconds(now)) };
    const answer = await this.issuer.issueTo(tx, account, { scope, signIn, remoteAddress }, now);
    const nonce = randomBytes(16).toString('hex');
    const device = deviceToken(account.id, nonce, now.getTime(), (text) => this.sealer.mac(text));
    return { ...answer, next: [], device_token: device };
  }

  async toEnrol(
    tx: EntityManager,
    account: OperatorAccount,
    amr: readonly string[],
    remoteAddress: string,
    now: Date,
  ): Promise<SignedIn> {
    const signIn = { acr: ACR.password, amr, authTime: seconds(now) };
    const answer = await this.issuer.issueTo(tx, account, { scope: undefined, signIn, remoteAddress }, now);
    return { ...answer, next: ['enrol'] };
  }
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}
