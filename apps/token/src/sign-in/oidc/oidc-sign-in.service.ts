import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import { randomNonce, randomPKCECodeVerifier, randomState } from 'openid-client';
import { z } from 'zod';
import { Persons } from '../../person/persons.repository.js';
import { Sealer } from '../../sealing/sealer.service.js';
import { PersonTokens, type SignedIn } from '../person-tokens.service.js';
import { type OpenSignIn, SignInService } from '../sign-in.service.js';
import { assuranceOf } from './assurance.js';
import { OidcClient, type OidcState } from './oidc.client.js';

/** Seconds that the provider may take with the person. */
export const OIDC_STATE_SECONDS = 600;
const CONTEXT = 'outrider/oidc-state/v1';

const Kept = z.strictObject({
  state: z.string(),
  nonce: z.string(),
  codeVerifier: z.string(),
  until: z.number(),
});

/** Sign-in at the identity provider. The account was linked to (issuer, subject) beforehand: nobody becomes an operator by signing in. */
@Injectable()
export class OidcSignIn {
  constructor(
    private readonly client: OidcClient,
    private readonly persons: Persons,
    private readonly signIns: SignInService,
    private readonly tokens: PersonTokens,
    private readonly database: Database,
    private readonly sealer: Sealer,
  ) {}

  /** Where to send the browser, and what it keeps meanwhile: nothing is stored here for whoever asks. */
  async start(now: Date): Promise<{ readonly location: string; readonly kept: string }> {
    const state: OidcState = { state: randomState(), nonce: randomNonce(), codeVerifier: randomPKCECodeVerifier() };
    const location = await this.client.authorizationUrl(state);
    const until = now.getTime() + OIDC_STATE_SECONDS * 1000;
    const kept = this.sealer.seal(Buffer.from(JSON.stringify({ ...state, until })), CONTEXT).toString('base64url');
    return { location: location.href, kept };
  }

  /** @throws DomainError `sign_in.not_open` without what the browser kept, `sign_in.refused` for a subject that is nobody here */
  async finish(
    search: string,
    kept: string | undefined,
    remoteAddress: string,
    now: Date,
  ): Promise<OpenSignIn | SignedIn> {
    const attempt = { what: 'oidc', accountId: undefined as string | undefined, remoteAddress };
    return this.signIns.recorded(attempt, async () => {
      const { issuer, mfaAcr, mfaAmr } = this.client.settings;
      const claims = await this.client.claims(search, this.open(kept, now));
      const person = await this.persons.byLink(issuer, claims.sub);
      if (!person) throw new DomainError('sign_in.refused', { detail: 'the subject is linked to nobody' });
      attempt.accountId = person.account.id;
      const { mfa, amr, authTime } = assuranceOf(claims, { mfaAcr, mfaAmr });
      if (!mfa) return this.signIns.begin(person, amr, undefined, remoteAddress, now);
      return this.database.transaction((tx) =>
        this.tokens.full(tx, person.account, { amr, scope: undefined, remoteAddress, now, authTime }),
      );
    });
  }

  private open(kept: string | undefined, now: Date): OidcState {
    let text: string;
    try {
      text = this.sealer.unseal(Buffer.from(kept ?? '', 'base64url'), CONTEXT).toString();
    } catch (cause) {
      throw new DomainError('sign_in.not_open', { cause });
    }
    const { until, ...state } = Kept.parse(JSON.parse(text));
    if (now.getTime() >= until) throw new DomainError('sign_in.not_open');
    return state;
  }
}
