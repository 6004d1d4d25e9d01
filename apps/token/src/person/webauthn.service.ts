import { Inject, Injectable } from '@nestjs/common';
import { CONFIG } from '@outrider/platform/service';
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import type { EntityManager } from 'typeorm';
import type { TokenConfig } from '../config.js';
import { WebAuthnCredentials } from './webauthn-credentials.repository.js';

/** Seconds that a challenge waits for its answer. */
export const CHALLENGE_SECONDS = 300;
/** ES256, EdDSA, RS256 (COSE). */
const ALGORITHMS = [-7, -8, -257];

/** WebAuthn: the person is verified by the authenticator each time (PIN or biometrics), for our origins alone. */
@Injectable()
export class WebAuthn {
  private readonly rp: TokenConfig['people']['webauthn'];

  constructor(
    private readonly credentials: WebAuthnCredentials,
    @Inject(CONFIG) config: TokenConfig,
  ) {
    this.rp = config.people.webauthn;
  }

  async registrationOptions(tx: EntityManager, account: { readonly id: string; readonly clientId: string }) {
    const known = await this.credentials.of(tx, account.id);
    return generateRegistrationOptions({
      rpID: this.rp.rpId,
      rpName: this.rp.rpName,
      userID: new Uint8Array(Buffer.from(account.id.replaceAll('-', ''), 'hex')),
      userName: account.clientId,
      timeout: CHALLENGE_SECONDS * 1000,
      attestationType: 'none',
      excludeCredentials: known.map(({ id, transports }) => ({ id, transports })),
      authenticatorSelection: { userVerification: 'required', residentKey: 'preferred' },
      supportedAlgorithmIDs: ALGORITHMS,
    });
  }

  /** Registers what answers the challenge; false where it does not, or is registered already. */
  async register(tx: EntityManager, accountId: string, name: string, response: unknown, challenge: string) {
    const verified = await verifyRegistrationResponse({
      response: response as RegistrationResponseJSON,
      expectedChallenge: challenge,
      expectedOrigin: [...this.rp.origins],
      expectedRPID: this.rp.rpId,
      requireUserVerification: true,
      supportedAlgorithmIDs: ALGORITHMS,
    }).catch(refusal);
    if (!verified?.verified) return false;
    const { id, publicKey, counter, transports = [] } = verified.registrationInfo.credential;
    return this.credentials.add(tx, accountId, name, { id, publicKey, counter, transports });
  }

  async authenticationOptions(tx: EntityManager, accountId: string) {
    const known = await this.credentials.of(tx, accountId);
    return generateAuthenticationOptions({
      rpID: this.rp.rpId,
      timeout: CHALLENGE_SECONDS * 1000,
      allowCredentials: known.map(({ id, transports }) => ({ id, transports })),
      userVerification: 'required',
    });
  }

  /** Whether a credential of the account answers the challenge. A counter that does not grow is a copied key: refused. */
  async authenticate(tx: EntityManager, accountId: string, response: unknown, challenge: string): Promise<boolean> {
    const answer = response as AuthenticationResponseJSON;
    const credential = await this.credentials.lock(tx, accountId, answer.id);
    if (!credential) return false;
    const verified = await verifyAuthenticationResponse({
      response: answer,
      expectedChallenge: challenge,
      expectedOrigin: [...this.rp.origins],
      expectedRPID: this.rp.rpId,
      credential: credential as never,
      requireUserVerification: true,
    }).catch(refusal);
    if (!verified?.verified) return false;
    await this.credentials.used(tx, credential.id, verified.authenticationInfo.newCounter);
    return true;
  }
}

/** The library throws for everything that a stranger can get wrong, and by plain errors: what comes of its input is a refusal. */
function refusal(error: unknown): undefined {
  if (error instanceof Error) return undefined;
  throw error;
}
