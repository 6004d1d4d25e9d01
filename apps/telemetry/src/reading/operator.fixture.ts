import https from 'node:https';
import type { Ground, Service } from '../telemetry.fixture.js';

export interface TextAnswer {
  readonly status: number;
  readonly headers: import('node:http').IncomingHttpHeaders;
  readonly text: string;
}

/** An event of a stream of server-sent events. */
export interface ServerSent {
  readonly event: string;
  readonly id: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
  readonly data: any;
}

/** An operator with `device:read`, over a connection of its own. */
export class TestOperator {
  private readonly agent: https.Agent;

  constructor(
    private readonly ground: Ground,
    private readonly service: Service,
  ) {
    this.agent = new https.Agent({ keepAlive: true, maxSockets: 64, ca: ground.fleet.root.certificatePem });
  }

  close(): void {
    this.agent.destroy();
  }

  get(path: string, headers: Record<string, string> = {}): Promise<TextAnswer> {
    return new Promise((resolve, reject) => {
      const request = https.get(this.service.operatorUrl + path, this.options(headers), (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode!, headers: response.headers, text: Buffer.concat(chunks).toString() }),
        );
      });
      request.on('error', reject);
    });
  }

  /** The lines of an NDJSON answer. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
  async lines(path: string, headers: Record<string, string> = { accept: 'application/x-ndjson' }): Promise<any[]> {
    const { status, text } = await this.get(path, headers);
    if (status !== 200) throw new Error(`${status} ${text}`);
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }

  /** Server-sent events as they come; `stop` hangs up, `ended` says that the service did. */
  follow(path: string, headers: Record<string, string> = {}) {
    const events: ServerSent[] = [];
    const state = { status: 0, ended: false };
    let rest = '';
    const request = https.get(this.service.operatorUrl + path, this.options(headers), (response) => {
      state.status = response.statusCode!;
      response.on('data', (chunk: Buffer) => {
        const parts = (rest + chunk.toString()).split('\n\n');
        rest = parts.pop()!;
        events.push(...parts.flatMap(readEvent));
      });
      response.on('end', () => {
        state.ended = true;
      });
      response.on('error', () => undefined);
    });
    request.on('error', () => undefined);
    return { events, state, stop: () => request.destroy() };
  }

  private options(headers: Record<string, string>): https.RequestOptions {
    const authorization = `Bearer ${this.ground.authority.operatorToken('device:read')}`;
    return { agent: this.agent, headers: { authorization, ...headers } };
  }
}

function readEvent(block: string): ServerSent[] {
  const field = (name: string) =>
    block
      .split('\n')
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2);
  const event = field('event');
  return event === undefined ? [] : [{ event, id: field('id'), data: JSON.parse(field('data') ?? 'null') }];
}
