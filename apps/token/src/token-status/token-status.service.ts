import { Inject, Injectable } from '@nestjs/common';
import { verifyIssuedToken } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import { DenylistFeed, JwksKeys } from '@outrider/platform/admission';
import { CONFIG } from '@outrider/platform/service';
import type { TokenConfig } from '../config.js';
import { DeniedTokens } from '../denied-tokens/denied-tokens.service.js';
import { required, type TokenForm } from '../oauth/token-form.js';
import { OperatorAccountRepository } from '../operator-client/operator-account.repository.js';
import { RefreshTokens } from '../refresh/refresh-tokens.service.js';
import { authenticateVehicle, type ClientCertificate } from '../vehicle-token/authenticate-vehicle.js';
import { denylistSubjectOf, type Introspection, type IssuedClaims, introspect, isDeviceToken } from './introspect.js';

const STALE_RETRY_SECONDS = 1;

/** What the issuer says of its tokens, and how one of them ends early. */
@Injectable()
export class TokenStatus {
  constructor(
    @Inject(CONFIG) private readonly config: TokenConfig,
    private readonly keys: JwksKeys,
    private readonly denylist: DenylistFeed,
    private readonly accounts: OperatorAccountRepository,
    private readonly refreshTokens: RefreshTokens,
    private readonly denied: DeniedTokens,
  ) {}

  /** @throws DomainError `token.invalid_request`; `revocation.stale`: nobody can say now whether it was revoked. */
  async introspect(form: TokenForm, now: Date): Promise<Introspection> {
    const claims = this.issued(required(form, 'token'), now);
    if (!claims) return introspect(undefined, false);
    if (this.denylist.freshness() !== 'fresh') {
      throw new DomainError('revocation.stale', { retryAfterSeconds: STALE_RETRY_SECONDS });
    }
    const denied = this.denylist.match(denylistSubjectOf(claims)) !== undefined;
    return introspect(claims, !denied && (await this.hasAccount(claims)));
  }

  /**
   * Puts the token onto the denylist until its end; with a refresh token its whole family. Not one of ours, or ended: nothing is left to do, and that is no error (RFC 7009 §2.2).
   * @param clientId who asks: a client ends its own tokens alone.
   * @throws DomainError `token.invalid_request`, `token.unauthorized_client`, `service.upstream_unavailable`
   */
  async revoke(form: TokenForm, clientId: string, now: Date): Promise<void> {
    const token = required(form, 'token');
    if (await this.refreshTokens.revoke(token, clientId, now)) return;
    const claims = this.issued(token, now);
    if (!claims) return;
    if (claims.client_id !== clientId) {
      throw new DomainError('token.unauthorized_client', { detail: 'the token was issued to another client' });
    }
    await this.denied.deny([{ jti: claims.jti, expiresAt: new Date(claims.exp * 1000) }], 'revoked by its client');
  }

  /** The same for a vehicle, which is the client that its certificate and `client_id` name. */
  revokeByVehicle(form: TokenForm, certificate: ClientCertificate, now: Date): Promise<void> {
    const { trustDomain } = this.config;
    const clientId = required(form, 'client_id');
    return this.revoke(form, authenticateVehicle(clientId, certificate, { trustDomain, nowMs: now.getTime() }), now);
  }

  private issued(compact: string, now: Date): IssuedClaims | undefined {
    const { tokenIssuer: issuer, tokenSkewSeconds: skewSeconds } = this.config;
    const verdict = verifyIssuedToken(compact, this.keys.get, { issuer, nowMs: now.getTime(), skewSeconds });
    return verdict.ok ? verdict.claims : undefined;
  }

  private async hasAccount(claims: IssuedClaims): Promise<boolean> {
    return isDeviceToken(claims) || (await this.accounts.isEnabled(claims.client_id));
  }
}
