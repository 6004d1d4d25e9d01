import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { ACR, type OperatorClaims } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { OperatorAccount } from '../operator-token/issue-operator-token.js';
import { type EnrolledFactors, nextFactors } from '../sign-in/sign-in.js';
import { Factors } from './factors.repository.js';
import { type Person, Persons } from './persons.repository.js';
import { RECOVERY_CODE_BYTES, RECOVERY_CODES, recoveryCode } from './recovery-codes.js';
import { TOTP_SECRET_BYTES, totpSecretText, totpUri } from './totp.js';
import { CHALLENGE_SECONDS, WebAuthn } from './webauthn.service.js';
import { WebAuthnCredentials } from './webauthn-credentials.repository.js';

const MAX_WEBAUTHN_CREDENTIALS = 10;
const ISSUER = 'Outrider';

/** A person's own second factors. Who has one shows it to change any of them. */
@Injectable()
export class Enrolment {
  constructor(
    private readonly database: Database,
    private readonly persons: Persons,
    private readonly factors: Factors,
    private readonly webAuthn: WebAuthn,
    private readonly credentials: WebAuthnCredentials,
  ) {}

  show(claims: OperatorClaims) {
    return this.database.transaction(async (tx) => {
      const { account, enrolled } = await this.person(tx, claims);
      const keys = await this.credentials.named(tx, account.id);
      return {
        username: account.clientId,
        roles: account.roles,
        factors: {
          totp: enrolled.totp,
          webauthn: enrolled.webauthnCredentials,
          recovery_codes: enrolled.recoveryCodes,
        },
        webauthn_keys: keys,
      };
    });
  }

  /** A fresh secret, that counts from its first code on; an older one goes on until then. */
  beginTotp(claims: OperatorClaims) {
    return this.database.transaction(async (tx) => {
      const { account } = await this.mayChange(tx, claims);
      const secret = randomBytes(TOTP_SECRET_BYTES);
      await this.factors.saveTotp(tx, account.id, 'pending', secret);
      return { secret: totpSecretText(secret), uri: totpUri(secret, account.clientId, ISSUER) };
    });
  }

  /** @throws DomainError `sign_in.refused` for a code that is not of the pending secret */
  confirmTotp(claims: OperatorClaims, code: string, now: Date): Promise<void> {
    return this.database.transaction(async (tx) => {
      const { account } = await this.mayChange(tx, claims);
      if (!(await this.factors.useTotp(tx, account.id, 'pending', code, now))) throw new DomainError('sign_in.refused');
      await this.factors.activateTotp(tx, account.id);
    });
  }

  /** The options for `navigator.credentials.create`. */
  beginWebAuthn(claims: OperatorClaims, now: Date) {
    return this.database.transaction(async (tx) => {
      const { account, enrolled } = await this.mayChange(tx, claims);
      if (enrolled.webauthnCredentials >= MAX_WEBAUTHN_CREDENTIALS) throw new DomainError('sign_in.factor_limit');
      const options = await this.webAuthn.registrationOptions(tx, account);
      const expiresAt = new Date(now.getTime() + CHALLENGE_SECONDS * 1000);
      await this.credentials.saveRegistration(tx, account.id, options.challenge, expiresAt);
      return options;
    });
  }

  /** @throws DomainError `sign_in.refused` for what does not answer the challenge, or answers it again */
  async finishWebAuthn(claims: OperatorClaims, name: string, response: unknown, now: Date): Promise<void> {
    const registered = await this.database.transaction(async (tx) => {
      const { account } = await this.mayChange(tx, claims);
      const challenge = await this.credentials.takeRegistration(tx, account.id, now);
      return challenge !== undefined && this.webAuthn.register(tx, account.id, name, response, challenge);
    });
    if (!registered) throw new DomainError('sign_in.refused');
  }

  /** @throws DomainError `sign_in.factor_missing`, `sign_in.last_factor` */
  removeTotp(claims: OperatorClaims): Promise<void> {
    return this.database.transaction(async (tx) => {
      const { account, enrolled } = await this.mayChange(tx, claims);
      if (!enrolled.totp) throw new DomainError('sign_in.factor_missing');
      requireAnother({ ...enrolled, totp: false });
      await this.factors.removeTotp(tx, account.id);
    });
  }

  /** @throws DomainError `sign_in.factor_missing`, `sign_in.last_factor` */
  removeKey(claims: OperatorClaims, id: string): Promise<void> {
    return this.database.transaction(async (tx) => {
      const { account, enrolled } = await this.mayChange(tx, claims);
      if (!(await this.credentials.remove(tx, account.id, id))) throw new DomainError('sign_in.factor_missing');
      requireAnother({ ...enrolled, webauthnCredentials: enrolled.webauthnCredentials - 1 });
    });
  }

  /** @throws DomainError `sign_in.factor_missing` */
  renameKey(claims: OperatorClaims, id: string, name: string): Promise<void> {
    return this.database.transaction(async (tx) => {
      const { account } = await this.mayChange(tx, claims);
      if (!(await this.credentials.rename(tx, account.id, id, name))) throw new DomainError('sign_in.factor_missing');
    });
  }

  /** Ten fresh codes; those before are gone. They are shown this once. @throws DomainError `sign_in.factor_missing` before there is a factor to recover */
  recoveryCodes(claims: OperatorClaims): Promise<{ readonly codes: readonly string[] }> {
    return this.database.transaction(async (tx) => {
      const { account, enrolled } = await this.mayChange(tx, claims);
      if (nextFactors(enrolled).length === 0) throw new DomainError('sign_in.factor_missing');
      const codes = Array.from({ length: RECOVERY_CODES }, () => recoveryCode(randomBytes(RECOVERY_CODE_BYTES)));
      await this.factors.replaceRecoveryCodes(tx, account.id, codes);
      return { codes };
    });
  }

  /**
   * The person, held until the transaction ends. A token of a password alone, got before there was a factor, is worth nothing once
   * there is one.
   * @throws DomainError `auth.step_up_required`, `sign_in.not_a_person`
   */
  async mayChange(tx: EntityManager, claims: OperatorClaims) {
    // Before the question whether there is a factor: two first enrolments must not both find none.
    await tx.query('SELECT FROM operator_accounts WHERE id = $1 FOR UPDATE', [claims.sub.slice('op:'.length)]);
    const found = await this.person(tx, claims);
    if (nextFactors(found.enrolled).length > 0 && claims.acr !== ACR.mfa)
      throw new DomainError('auth.step_up_required');
    return found;
  }

  private async person(
    tx: EntityManager,
    claims: OperatorClaims,
  ): Promise<{ person: Person; account: OperatorAccount; enrolled: EnrolledFactors }> {
    const accountId = claims.sub.slice('op:'.length);
    const person = await this.persons.byId(tx, accountId);
    if (!person) throw new DomainError('sign_in.not_a_person');
    return { person, account: person.account, enrolled: await this.factors.enrolled(tx, accountId) };
  }
}

/** Who has factors keeps one: without any the password alone would be enough to enrol a stranger's. @throws DomainError `sign_in.last_factor` */
function requireAnother(left: EnrolledFactors): void {
  if (nextFactors(left).length === 0) throw new DomainError('sign_in.last_factor');
}
