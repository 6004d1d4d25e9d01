/** Access tokens for one certificate: fetched when needed, cached, one request at a time for a scope family. */
import { z } from 'zod';
import type { Identity } from '../enrol/identity.js';
import type { Report } from '../report/report.service.js';
import type { AuthorizedClient } from './authorized.client.js';
import { type CachedToken, serves } from './freshness.js';
import { TokenRefused } from './token-refused.js';

export type ScopeFamily = 'telemetry' | 'backfill' | 'control';

/** Asked for in this order: a vehicle without the grant for critical commands still takes the others. */
const SCOPES: Readonly<Record<ScopeFamily, readonly string[]>> = {
  telemetry: ['telemetry:write'],
  backfill: ['telemetry:backfill'],
  control: ['command:receive command:critical', 'command:receive'],
};

const Granted = z.object({ access_token: z.string(), expires_in: z.number().positive(), scope: z.string().optional() });
const Refused = z.object({ error: z.string(), error_description: z.string().optional(), code: z.string().optional() });

export class TokenService {
  private readonly cached = new Map<ScopeFamily, CachedToken>();
  private readonly underWay = new Map<ScopeFamily, Promise<CachedToken>>();

  constructor(
    private readonly client: AuthorizedClient,
    private readonly origin: string,
    private readonly identity: Identity,
    private readonly report: Report,
  ) {}

  /** A token with at least a little of its life left. Throws TokenRefused or NetworkFailure. */
  async get(family: ScopeFamily): Promise<string> {
    const cached = this.cached.get(family);
    if (cached && serves(cached, this.identity.thumbprint, performance.now())) return cached.value;
    const fetching = this.underWay.get(family) ?? this.fetch(family).finally(() => this.underWay.delete(family));
    this.underWay.set(family, fetching);
    return (await fetching).value;
  }

  /** After a 401: the next `get` asks again. */
  forget(family: ScopeFamily): void {
    this.cached.delete(family);
  }

  private async fetch(family: ScopeFamily): Promise<CachedToken> {
    const scopes = SCOPES[family];
    for (const [index, scope] of scopes.entries()) {
      try {
        const token = await this.ask(scope);
        this.cached.set(family, token);
        return token;
      } catch (error) {
        const another = error instanceof TokenRefused && error.error === 'invalid_scope' && index + 1 < scopes.length;
        if (!another) throw error;
      }
    }
    throw new Error('no scopes to ask for');
  }

  private async ask(scope: string): Promise<CachedToken> {
    const startedAt = performance.now();
    const form = new URLSearchParams({ grant_type: 'client_credentials', client_id: this.identity.deviceId, scope });
    const answer = await this.client.send(`${this.origin}/oauth2/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: form.toString(),
    });
    const body = parseJson(answer.body);
    const granted = Granted.safeParse(body);
    if (answer.status !== 200 || !granted.success) {
      const refused = Refused.safeParse(body).data;
      const code = refused?.code ?? problemCode(body) ?? `http.${answer.status}`;
      throw new TokenRefused(refused?.error ?? '', code, refused?.error_description ?? '', answer.retryAfterSeconds);
    }
    const { access_token, expires_in } = granted.data;
    const ms = Math.round(performance.now() - startedAt);
    this.report({ event: 'token', scope: granted.data.scope ?? scope, expiresInSeconds: expires_in, ms });
    return {
      value: access_token,
      scope: granted.data.scope ?? scope,
      fetchedAt: startedAt,
      expiresAt: startedAt + expires_in * 1000,
      thumbprint: this.identity.thumbprint,
    };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function problemCode(body: unknown): string | undefined {
  return z.object({ code: z.string() }).safeParse(body).data?.code;
}
