import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

export const CLIENT = { id: 'outrider', secret: 'a secret of this test alone' };

/** What the provider says of a sign-in beside who it was. */
export interface Says {
  readonly acr?: string;
  readonly amr?: string[];
}

/** A real identity provider (oidc-provider) whose person has no face: `browse` signs in as whoever is asked for. */
export class TestProvider {
  says: Says = {};

  private constructor(
    readonly issuer: string,
    private readonly server: Server,
  ) {}

  static async start(redirectUri: string, port = 0): Promise<TestProvider> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const made = new TestProvider(issuer, server);
    const provider = new Provider(issuer, {
      clients: [
        {
          client_id: CLIENT.id,
          client_secret: CLIENT.secret,
          redirect_uris: [redirectUri],
          grant_types: ['authorization_code'],
          response_types: ['code'],
        },
      ],
      pkce: { required: () => true },
      acrValues: ['urn:idp:two', 'urn:idp:one'],
      claims: { openid: ['sub', 'amr'], acr: null, auth_time: null },
      conformIdTokenClaims: false,
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
      findAccount: (_context, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
      cookies: { keys: ['test'] },
    });
    const callback = provider.callback();
    server.on('request', (request, response) => {
      const [, uid, subject] = /^\/interaction\/([^/?]+)\?as=(.+)$/.exec(request.url ?? '') ?? [];
      if (!uid || !subject) {
        callback(request, response);
        return;
      }
      made
        .finish(provider, request, response, subject)
        .catch((error: Error) => response.writeHead(500).end(error.stack));
    });
    return made;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  /** Follows the authorization request as a browser does, signs in as `subject`; returns where the browser is sent back to. */
  async browse(location: string, subject: string): Promise<string> {
    const cookies = new Map<string, string>();
    let url = new URL(location);
    for (let hops = 0; hops < 10; hops += 1) {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const answer = await fetch(url, { redirect: 'manual', headers: { cookie } });
      for (const line of answer.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        cookies.set(name!, value!);
      }
      const next = answer.headers.get('location');
      if (!next) throw new Error(`${answer.status} ${await answer.text()}`);
      url = new URL(next, url);
      if (url.origin !== this.issuer) return url.href;
      if (url.pathname.startsWith('/interaction/')) url.search = `?as=${subject}`;
    }
    throw new Error('sent around in circles');
  }

  private async finish(
    provider: Provider,
    request: import('node:http').IncomingMessage,
    response: import('node:http').ServerResponse,
    subject: string,
  ): Promise<void> {
    const { prompt, params, session } = await provider.interactionDetails(request, response);
    if (prompt.name === 'login') {
      await provider.interactionFinished(request, response, { login: { accountId: subject, ...this.says } });
      return;
    }
    const grant = new provider.Grant({ accountId: session!.accountId, clientId: String(params.client_id) });
    grant.addOIDCScope('openid');
    grant.addOIDCClaims(['acr', 'amr', 'auth_time']);
    const grantId = await grant.save();
    await provider.interactionFinished(request, response, { consent: { grantId } }, { mergeWithLastSubmission: true });
  }
}
