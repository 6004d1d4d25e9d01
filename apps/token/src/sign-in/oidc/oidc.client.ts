import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { CONFIG, TrustFiles } from '@outrider/platform/service';
import * as openid from 'openid-client';
import type { TokenConfig } from '../../config.js';

/** What a sign-in at the provider is bound to, kept by the browser, sealed. */
export interface OidcState {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

type OidcConfig = NonNullable<TokenConfig['people']['oidc']>;

/** The enterprise's identity provider: discovered at its first use, so that it may be away when we start. */
@Injectable()
export class OidcClient {
  private readonly config: OidcConfig | undefined;
  private discovered: Promise<openid.Configuration> | undefined;

  constructor(
    @Inject(CONFIG) { people }: TokenConfig,
    private readonly files: TrustFiles,
  ) {
    this.config = people.oidc;
    // Asked for anew, should it be the secret of the client that has changed.
    files.events.on('changed', () => {
      this.discovered = undefined;
    });
  }

  /** @throws DomainError `sign_in.oidc_not_configured` */
  get settings(): OidcConfig {
    if (!this.config) throw new DomainError('sign_in.oidc_not_configured');
    return this.config;
  }

  /** Where the browser goes. @throws DomainError `service.upstream_unavailable` */
  async authorizationUrl({ state, nonce, codeVerifier }: OidcState): Promise<URL> {
    const { redirectUri, scope, maxAgeSeconds, acrValues } = this.settings;
    const configuration = await this.configuration();
    return openid.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope,
      state,
      nonce,
      max_age: String(maxAgeSeconds),
      code_challenge: await openid.calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: 'S256',
      ...(acrValues.length > 0 ? { acr_values: acrValues.join(' ') } : {}),
    });
  }

  /**
   * The claims of the ID token that the answer's code stands for; `search`: the query as it came.
   * @throws DomainError `sign_in.refused`, `service.upstream_unavailable`
   */
  async claims(search: string, { state, nonce, codeVerifier }: OidcState): Promise<openid.IDToken> {
    const { redirectUri, maxAgeSeconds } = this.settings;
    const answer = new URL(redirectUri);
    answer.search = search;
    const configuration = await this.configuration();
    try {
      const tokens = await openid.authorizationCodeGrant(configuration, answer, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: codeVerifier,
        maxAge: maxAgeSeconds,
        idTokenExpected: true,
      });
      return tokens.claims()!;
    } catch (cause) {
      if (isAway(cause)) throw new DomainError('service.upstream_unavailable', { cause });
      throw new DomainError('sign_in.refused', { cause, detail: 'the identity provider did not vouch for it' });
    }
  }

  private configuration(): Promise<openid.Configuration> {
    this.discovered ??= this.discover().catch((cause: unknown) => {
      this.discovered = undefined;
      throw new DomainError('service.upstream_unavailable', { cause, detail: 'the identity provider is away' });
    });
    return this.discovered;
  }

  private discover(): Promise<openid.Configuration> {
    const { issuer, clientId, clientSecretFile } = this.settings;
    const secret = openid.ClientSecretBasic(this.files.secret(clientSecretFile, String));
    // Only a provider on this machine may do without TLS; the configuration refuses others.
    const execute = new URL(issuer).protocol === 'http:' ? [openid.allowInsecureRequests] : [];
    return openid.discovery(new URL(issuer), clientId, undefined, secret, { execute, timeout: 10 });
  }
}

/** No answer is not the person's fault. The library passes the failure of `fetch` on as it is, or as a cause. */
function isAway(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { message, code, cause } = error as { message?: string; code?: string; cause?: unknown };
  return message === 'fetch failed' || code === 'OAUTH_TIMEOUT' || isAway(cause);
}
