/** An open stream of offers: what arrives waits in order, and the token is renewed when the platform asks for it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection, ConnectionService } from '../agent/connection.service.js';
import { Later } from '../agent/link.service.js';
import { NetworkFailure } from '../http/network-failure.js';
import type { Report } from '../report/report.service.js';
import { Offer } from './command.js';
import { EventStream, type StreamEvent } from './event-stream.js';
import { type CommandPlatform, problemCode } from './platform.client.js';

const RENEWALS = 4;
const RENEW_AGAIN_MS = 2_000;
/** Longer than the platform's sign of life. */
const IDLE_MS = 40_000;

/** The platform has no streams, or something between cuts them. */
export class NoStream extends Error {
  override readonly name = 'NoStream';
}

export class OfferStream {
  private readonly arrived: Offer[] = [];
  private readonly ending = new AbortController();
  private readonly events = new EventStream();
  private ended: { readonly error: unknown } | undefined;
  private wake: () => void = () => undefined;
  private opened = false;

  private constructor(
    private readonly connection: Connection,
    private readonly connections: ConnectionService,
    private readonly platform: CommandPlatform,
    private readonly report: Report,
    signal: AbortSignal,
  ) {
    const stream = { onText: (text: string) => this.heard(text), idleMs: IDLE_MS };
    const more = {
      stream,
      headers: { accept: 'text/event-stream' },
      signal: AbortSignal.any([signal, this.ending.signal]),
    };
    platform.askOver(connection, 'GET', `/v1/commands/stream${platform.form}`, undefined, more).then(
      ({ status }) => this.end(status === 200 && this.opened ? undefined : new NoStream(`status ${status}`)),
      (error: unknown) => this.end(this.ending.signal.aborted ? undefined : error),
    );
  }

  static async open(connections: ConnectionService, platform: CommandPlatform, report: Report, signal: AbortSignal) {
    return new OfferStream(await connections.current(), connections, platform, report, signal);
  }

  /** The next offer; undefined when `ms` passed without one, when the stream has opened, or has ended as streams do. Throws what ended it otherwise. */
  async next(ms: number): Promise<Offer | undefined> {
    if (this.arrived.length === 0 && !this.ended) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const offer = this.arrived.shift();
    if (!offer && this.ended?.error !== undefined) throw this.ended.error;
    return offer;
  }

  /** The platform has answered. */
  get good(): boolean {
    return this.opened;
  }

  get open(): boolean {
    return this.ended === undefined || this.arrived.length > 0;
  }

  close(): void {
    this.ending.abort();
  }

  private end(error: unknown): void {
    this.ended ??= { error };
    this.wake();
  }

  private heard(text: string): void {
    if (!this.opened) {
      this.opened = true;
      this.report({ event: 'stream_open' });
      // Whoever waits for an offer may say by now that the platform is there again.
      this.wake();
    }
    for (const event of this.events.push(text)) this.follow(event);
  }

  private follow({ name, data }: StreamEvent): void {
    const content = parse(data);
    if (name === 'command') {
      const offer = Offer.safeParse(content);
      if (offer.success) this.arrived.push(offer.data.command);
      else this.finish(new Later('request.malformed', 5));
      this.wake();
    }
    if (name === 'token') void this.renew(String((content as { stream?: unknown }).stream));
    if (name === 'refused')
      this.finish(new Later(String((content as { code?: unknown }).code).slice(0, 80), undefined));
  }

  private finish(error: unknown): void {
    this.end(error);
    this.close();
  }

  /** The stream's own certificate needs to be in the new token: after a renewal of the certificate another stream is opened instead. */
  private async renew(stream: string): Promise<void> {
    const { connection, connections, platform } = this;
    if ((await connections.current()) !== connection || !/^[0-9a-f-]{36}$/.test(stream)) return this.finish(undefined);
    connection.tokens.forget('control');
    for (let attempt = 0; attempt < RENEWALS && !this.ended; attempt += 1) {
      try {
        const answer = await platform.askOver(connection, 'POST', `/v1/commands/stream/${stream}/token`);
        if (answer.status >= 300) return this.finish(new Later(problemCode(answer), undefined));
        return this.report({ event: 'stream_renewed' });
      } catch (error) {
        // The stream lives until its token ends, and there is a little time to try again; its end is told by the platform.
        if (!(error instanceof NetworkFailure || error instanceof Later)) return this.finish(error);
        await sleep(RENEW_AGAIN_MS, undefined, { signal: this.ending.signal }).catch(() => undefined);
      }
    }
  }
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data) ?? {};
  } catch {
    return {};
  }
}
