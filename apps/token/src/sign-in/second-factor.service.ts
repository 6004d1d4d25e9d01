import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import { Factors } from '../person/factors.repository.js';
import { Persons } from '../person/persons.repository.js';
import { WebAuthn } from '../person/webauthn.service.js';
import { Sealer } from '../sealing/sealer.service.js';
import { knownDevice } from './device-token.js';
import { PersonTokens, type SignedIn } from './person-tokens.service.js';
import { afterFactor, requireOpen, type SecondFactor } from './sign-in.js';
import { SignInService } from './sign-in.service.js';
import { SignIns, type StoredSignIn } from './sign-ins.repository.js';
import { type Source, Throttle } from './throttle.service.js';

/** RFC 8176 has no name of its own for a recovery code: it is a one-time password. */
const AMR: Readonly<Record<SecondFactor, readonly string[]>> = {
  totp: ['otp'],
  webauthn: ['hwk', 'user'],
  recovery_code: ['otp'],
};

/** How one factor is judged: inside the transaction that uses it up. */
type Judge = (tx: EntityManager, signIn: StoredSignIn) => Promise<boolean>;

export interface CodeShown {
  readonly code: string;
  readonly device_token?: string | undefined;
}

/** The second factor, and with it the token: what was used up and what it gave are one transaction. */
@Injectable()
export class SecondFactors {
  constructor(
    private readonly database: Database,
    private readonly persons: Persons,
    private readonly factors: Factors,
    private readonly webAuthn: WebAuthn,
    private readonly signIns: SignIns,
    private readonly throttle: Throttle,
    private readonly tokens: PersonTokens,
    private readonly sealer: Sealer,
    private readonly signIn: SignInService,
  ) {}

  /** @throws DomainError `sign_in.refused`, `sign_in.not_open`, `sign_in.slow_down` */
  totp(id: string, { code, device_token }: CodeShown, remoteAddress: string, now: Date): Promise<SignedIn> {
    const judge: Judge = (tx, { accountId }) => this.factors.useTotp(tx, accountId, 'active', code, now);
    return this.show(id, 'totp', judge, { remoteAddress, now, deviceToken: device_token });
  }

  /** @throws DomainError as `totp` */
  recovery(id: string, { code, device_token }: CodeShown, remoteAddress: string, now: Date): Promise<SignedIn> {
    const judge: Judge = (tx, { accountId }) => this.factors.useRecoveryCode(tx, accountId, code);
    return this.show(id, 'recovery_code', judge, { remoteAddress, now, deviceToken: device_token });
  }

  /** The options for `navigator.credentials.get`, with a fresh challenge. @throws DomainError `sign_in.not_open` */
  webAuthnOptions(id: string, now: Date) {
    return this.database.transaction(async (tx) => {
      const signIn = requireOpen(await this.signIns.lock(tx, id), now.getTime());
      const options = await this.webAuthn.authenticationOptions(tx, signIn.accountId);
      await this.signIns.save(tx, { ...signIn, challenge: options.challenge });
      return options;
    });
  }

  /** @throws DomainError as `totp` */
  webauthn(id: string, response: unknown, remoteAddress: string, now: Date): Promise<SignedIn> {
    const judge: Judge = async (tx, { accountId, challenge }) =>
      challenge !== undefined && this.webAuthn.authenticate(tx, accountId, response, challenge);
    return this.show(id, 'webauthn', judge, { remoteAddress, now, deviceToken: undefined });
  }

  private async show(
    id: string,
    factor: SecondFactor,
    judge: Judge,
    { remoteAddress, now, deviceToken }: { remoteAddress: string; now: Date; deviceToken: string | undefined },
  ): Promise<SignedIn> {
    const begun = await this.signIns.find(id);
    const attempt = { what: factor, accountId: begun?.accountId, remoteAddress };
    return this.signIn.recorded(attempt, async () => {
      const { accountId } = requireOpen(begun, now.getTime());
      const sources = this.sources(accountId, factor, deviceToken, now);
      await this.throttle.admit(sources, now);
      const signedIn = await this.database.transaction((tx) => this.decide(tx, id, factor, judge, remoteAddress, now));
      // Thrown behind the transaction: the failure was counted in it.
      if (!signedIn) throw new DomainError('sign_in.refused');
      await this.throttle.forgive(sources);
      return signedIn;
    });
  }

  private async decide(
    tx: EntityManager,
    id: string,
    factor: SecondFactor,
    judge: Judge,
    remoteAddress: string,
    now: Date,
  ): Promise<SignedIn | undefined> {
    const signIn = requireOpen(await this.signIns.lock(tx, id), now.getTime());
    const person = await this.persons.byId(tx, signIn.accountId);
    const right = person !== undefined && (await judge(tx, signIn));
    // A challenge is answered once, rightly or not.
    await this.signIns.save(tx, { ...signIn, ...afterFactor(signIn, right, now.getTime()), challenge: undefined });
    if (!right) return undefined;
    const amr = [...new Set([...signIn.firstAmr, ...AMR[factor], 'mfa'])];
    return this.tokens.full(tx, person.account, { amr, scope: signIn.scope, remoteAddress, now });
  }

  /** Codes can be guessed, and who guesses here has the password already. A key cannot be: it never waits. */
  private sources(accountId: string, factor: SecondFactor, deviceToken: string | undefined, now: Date): Source[] {
    if (factor === 'webauthn') return [];
    const device = knownDevice(deviceToken, accountId, now.getTime(), (text) => this.sealer.mac(text));
    return [device ? { scope: 'device', name: device } : { scope: 'factor', name: accountId }];
  }
}
