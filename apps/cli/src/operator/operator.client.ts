/** The operator APIs: HTTPS by the pinned anchors, the token read fresh for each request. */
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import type { Endpoints } from '../endpoints/endpoints.store.js';
import { Unreachable } from '../exit-code.js';
import { EventStreamReader, type SentEvent } from './event-stream.js';
import type { Body, Method, Path, Query } from './operator-api.js';
import { Problem } from './problem.js';

export type OperatorService = 'token' | 'provisioning' | 'telemetry' | 'command' | 'revocation' | 'gateway';

/** A list is given once for each of its values. */
type Values = Readonly<Record<string, string | number | readonly string[] | undefined>>;

export interface OperatorRequest<B = unknown, Q = Values> {
  /** Sent as JSON. */
  readonly body?: B;
  /** Sent as it comes, instead of `body`; `bytes` in all. */
  readonly stream?: { readonly body: AsyncIterable<Uint8Array>; readonly type: string; readonly bytes: number };
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Q | undefined;
  /** Without a token: what the body shows is the authentication. */
  readonly anonymous?: boolean;
  /** Default 15 s. */
  readonly timeoutMs?: number;
}

/** A stream says that it is there every 15 s. */
const STREAM_SILENCE_MS = 45_000;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

export class OperatorClient {
  private agent: Agent | undefined;
  /** Of streams, which have no end that could be told beforehand. */
  private endless: Agent | undefined;

  /** `elevated`: gives the token in place of the file's. */
  constructor(
    private readonly endpoints: Endpoints,
    private readonly elevated?: () => Promise<string>,
  ) {}

  /** The JSON answer of a 2xx. Throws Problem for a refusal and Unreachable without an answer. */
  async call<M extends Method, P extends Path<M>>(
    service: OperatorService,
    method: M,
    path: P,
    {
      body,
      stream,
      headers = {},
      query,
      anonymous = false,
      timeoutMs = 15_000,
    }: OperatorRequest<Body<M, P>, Query<M, P>> = {},
  ): Promise<unknown> {
    const url = this.url(service, path, query);
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

  /** Server-sent events as they come, behind `behind` where the stream can; ends when the service ends it. Throws as `call`. */
  async *events<P extends Path<'GET'>>(
    service: OperatorService,
    path: P,
    { query, behind }: { readonly query?: Query<'GET', P> | undefined; readonly behind?: string | undefined } = {},
  ): AsyncGenerator<SentEvent> {
    const headers = behind === undefined ? {} : { 'last-event-id': behind };
    const body = await this.open(service, this.url(service, path, query), 'text/event-stream', headers);
    const reader = new EventStreamReader();
    body.setEncoding('utf8');
    try {
      for await (const chunk of body) yield* reader.read(chunk as string);
    } catch (cause) {
      throw cutOff(service, cause);
    }
  }

  /** A long answer as it comes, in bytes. Throws as `call`, and Unreachable where it is cut off. */
  async *bytes<P extends Path<'GET'>>(
    service: OperatorService,
    path: P,
    { query, accept }: { readonly query?: Query<'GET', P> | undefined; readonly accept: string },
  ): AsyncGenerator<Uint8Array> {
    const body = await this.open(service, this.url(service, path, query), accept, {});
    try {
      for await (const chunk of body) yield chunk as Buffer;
    } catch (cause) {
      throw cutOff(service, cause);
    }
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
    await Promise.all([this.agent?.close(), this.endless?.destroy()]);
  }

  /** The body of a stream that was let in. */
  private async open(service: OperatorService, url: URL, accept: string, more: Readonly<Record<string, string>>) {
    const headers = { accept, authorization: `Bearer ${await this.token()}`, ...more };
    this.endless ??= new Agent({ allowH2: false, connect: await this.connectOptions() });
    const dispatcher = this.endless;
    const answer = await request(url, { dispatcher, headers, bodyTimeout: STREAM_SILENCE_MS }).catch((cause) => {
      throw new Unreachable(`${service} at ${url.origin} does not answer: ${(cause as Error).message}`, { cause });
    });
    if (answer.statusCode >= 400) throw Problem.of(answer.statusCode, parse(await answer.body.text()));
    return answer.body;
  }

  private url(service: OperatorService, path: string, query: object = {}): URL {
    const url = new URL(path, this.origin(service));
    for (const [name, value] of Object.entries(query as Values))
      for (const one of [value ?? []].flat()) url.searchParams.append(name, String(one));
    return url;
  }

  private origin(service: OperatorService): string {
    const origin = this.endpoints.operator[service];
    if (!origin) throw new Unreachable(`endpoints.json names no operator listener of ${service}`);
    return origin;
  }

  private async dispatcher(): Promise<Agent> {
    this.agent ??= new Agent({
      allowH2: false,
      maxResponseSize: MAX_ANSWER_BYTES,
      connect: await this.connectOptions(),
    });
    return this.agent;
  }

  private async connectOptions() {
    return { ca: await readFile(this.endpoints.serverTrust, 'utf8'), timeout: 5_000 };
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
    const dispatcher = await this.dispatcher();
    try {
      const answer = await request(url, {
        dispatcher,
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

function cutOff(service: OperatorService, cause: unknown): Unreachable {
  return new Unreachable(`${service} cut the stream off: ${(cause as Error).message}`, { cause });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
