/** Whoever copied a vehicle's key and certificate: the same requests, from elsewhere, on connections kept open. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { at, endpoints, type Service } from './endpoints.js';

export interface Seen {
  /** 0: the connection was closed or could not be opened. */
  readonly status: number;
  readonly body: string;
  /** Of the `DPoP-Nonce` header. */
  readonly nonce?: string;
}

export interface Ask {
  readonly service: Service;
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly token?: string;
  readonly body?: string | Buffer;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class Thief {
  readonly #agent: Agent;

  /** PEM files: as copied from the vehicle's disk. Without them: someone who shows no certificate. */
  constructor(certificateFile?: string, keyFile?: string) {
    const client =
      certificateFile && keyFile ? { cert: readFileSync(certificateFile), key: readFileSync(keyFile) } : {};
    this.#agent = new Agent({ connect: { ca: readFileSync(endpoints.trust.server), ...client }, pipelining: 1 });
  }

  async ask({
    service,
    method,
    path,
    token,
    body,
    contentType = 'application/json',
    headers = {},
  }: Ask): Promise<Seen> {
    try {
      const answer = await request(`${at(service, 'vehicle')}${path}`, {
        dispatcher: this.#agent,
        method,
        headers: {
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...(body === undefined ? {} : { 'content-type': contentType }),
          ...headers,
        },
        body: body ?? null,
        signal: AbortSignal.timeout(10_000),
      });
      const nonce = answer.headers['dpop-nonce'];
      const seen = { status: answer.statusCode, body: await answer.body.text() };
      return typeof nonce === 'string' ? { ...seen, nonce } : seen;
    } catch (error) {
      return { status: 0, body: (error as Error).message };
    }
  }

  async token(deviceId: string, scope: string): Promise<string> {
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: deviceId, scope }).toString();
    const contentType = 'application/x-www-form-urlencoded';
    const seen = await this.ask({ service: 'token', method: 'POST', path: '/oauth2/token', body, contentType });
    if (seen.status !== 200) throw new Error(`no token: ${seen.status} ${seen.body}`);
    return (JSON.parse(seen.body) as { access_token: string }).access_token;
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}

/** Asks again and again until it is refused; ms since `from` (of `performance.now()`) at the first refusal, undefined when none came within `withinMs`. */
export async function untilRefused(
  thief: Thief,
  ask: Ask,
  from: number,
  withinMs: number,
): Promise<{ ms: number; seen: Seen } | undefined> {
  while (performance.now() - from < withinMs) {
    const seen = await thief.ask(ask);
    if (seen.status === 401 || seen.status === 403) return { ms: performance.now() - from, seen };
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  return undefined;
}
