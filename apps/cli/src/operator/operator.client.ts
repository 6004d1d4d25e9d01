/** The operator APIs: HTTPS by the pinned anchors, the token read fresh for each request. */
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import type { Endpoints } from '../endpoints/endpoints.store.js';
import { Unreachable } from '../exit-code.js';
import { Problem } from './problem.js';

export type OperatorService = 'token' | 'provisioning' | 'telemetry' | 'command' | 'revocation' | 'gateway';

export interface OperatorRequest {
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it comes, instead of `body`; `bytes` in all. */
  readonly stream?: { readonly body: AsyncIterable<Uint8Array>; readonly type: string; readonly bytes: number };
  readonly headers?: Readonly<Record<string, string>>;
  /** A list is given once for each of its values. */
  readonly query?: Readonly<Record<string, string | number | readonly string[] | undefined>>;
  /** Without a token: what the body shows is the authentication. */
  readonly anonymous?: boolean;
  /** Default 15 s. */
  readonly timeoutMs?: number;
}

const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

export class OperatorClient {
  private agent: Agent | undefined;

  /** `elevated`: gives the token in place of the file's. */
  constructor(
    private readonly endpoints: Endpoints,
    private readonly elevated?: () => Promise<string>,
  ) {}

  /** The JSON answer of a 2xx. Throws Problem for a refusal and Unreachable without an answer. */
  async call(
    service: OperatorService,
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    { body, stream, headers = {}, query = {}, anonymous = false, timeoutMs = 15_000 }: OperatorRequest = {},
  ): Promise<unknown> {
    const url = new URL(path, this.origin(service));
    for (const [name, value] of Object.entries(query))
      for (const one of [value ?? []].flat()) url.searchParams.append(name, String(one));
    const token: Record<string, string> = anonymous ? {} : { authorization: `Bearer ${await this.token()}` };
    const type: Record<string, string> = stream
      ? { 'content-type': stream.type, 'content-length': String(stream.bytes) }
      : body === undefined
        ? {}
        : { 'content-type': 'application/json' };
    const answer = await this.send(service, url, {
      method,
      headers: { accept: 'application/json', ...token, ...type, ...headers },
      body: stream ? Readable.from(stream.body) : body === undefined ? null : JSON.stringify(body),
      timeoutMs,
    });
    if (answer.status >= 400) throw Problem.of(answer.status, parse(answer.text));
    return parse(answer.text);
  }

  /** The operator token that the suite keeps fresh, or the elevated one. */
  async token(): Promise<string> {
    if (this.elevated) return this.elevated();
    const file = this.endpoints.operatorTokenFile;
    try {
      return (await readFile(file, 'utf8')).trim();
    } catch (cause) {
      throw new Unreachable(
        `${file}: no operator token; is the suite running? A person signs in first: outrider login --as`,
        { cause },
      );
    }
  }

  async close(): Promise<void> {
    await this.agent?.close();
  }

  private origin(service: OperatorService): string {
    const origin = this.endpoints.operator[service];
    if (!origin) throw new Unreachable(`endpoints.json names no operator listener of ${service}`);
    return origin;
  }

  private async send(
    service: OperatorService,
    url: URL,
    {
      method,
      headers,
      body,
      timeoutMs,
    }: { method: string; headers: Record<string, string>; body: string | Readable | null; timeoutMs: number },
  ): Promise<{ status: number; text: string }> {
    this.agent ??= new Agent({
      allowH2: false,
      maxResponseSize: MAX_ANSWER_BYTES,
      connect: { ca: await readFile(this.endpoints.serverTrust, 'utf8'), timeout: 5_000 },
    });
    try {
      const answer = await request(url, {
        dispatcher: this.agent,
        method: method as 'GET',
        headers,
        body,
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status: answer.statusCode, text: await answer.body.text() };
    } catch (cause) {
      throw new Unreachable(`${service} at ${url.origin} does not answer: ${(cause as Error).message}`, { cause });
    }
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
