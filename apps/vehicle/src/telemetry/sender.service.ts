/** Empties the queue in order: one record a request when it keeps up, batches when it is behind. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection, ConnectionService } from '../agent/connection.service.js';
import { Denied, Later, LinkService } from '../agent/link.service.js';
import { type FetchOrder, ordersOf } from '../log/fetch-order.js';
import type { Report } from '../report/report.service.js';
import { type Answer, readAnswer, readWindows, type Window } from './answer.js';
import type { CarrierService } from './carrier.service.js';
import { continuation } from './position.js';
import type { QueuedRecord, QueueStore } from './queue.store.js';
import type { ReceiptsStore } from './receipts.store.js';
import { runs, type SettledRecord, settle } from './settle.js';
import { STREAM } from './stream.js';

const MAX_RECORDS = 500;
const MAX_BYTES = 900 * 1024;
/** The platform takes live what is at most two minutes old; it still has to get there. */
const RESEND_SECONDS = 100;

const ACCEPT = { accept: 'application/json' } as const;

/** Who answers fetch orders. */
export interface OrderTaker {
  take(orders: readonly FetchOrder[]): void;
  notify(): void;
}

export class SenderService {
  private limit = MAX_RECORDS;
  /** The gaps that were answered last, so that one that stays is looked at once. */
  private gaps = '';
  private wake: () => void = () => undefined;

  constructor(
    private readonly queue: QueueStore,
    private readonly connections: ConnectionService,
    private readonly origin: string,
    private readonly report: Report,
    private readonly signal: AbortSignal,
    private readonly orders: OrderTaker,
    private readonly carrier: CarrierService,
    private readonly receipts?: ReceiptsStore | undefined,
  ) {}

  /** There is something new in the queue. */
  notify(): void {
    this.wake();
  }

  /** Runs until the signal; rejects only for a bug. */
  async run(): Promise<void> {
    const link = new LinkService('telemetry', this.report, this.signal);
    while (!this.signal.aborted) {
      const more = this.somethingNew();
      const records = this.queue.batch(this.limit, MAX_BYTES);
      if (records.length === 0) {
        await more;
        continue;
      }
      try {
        await this.send(records);
        link.good();
      } catch (error) {
        await link.failed(error);
      }
    }
  }

  /** Resolves once nothing waits in the queue, or the signal is given. */
  async drained(): Promise<void> {
    while (!this.signal.aborted && this.queue.waiting() > 0) {
      await sleep(50, undefined, { signal: this.signal }).catch(() => undefined);
    }
  }

  /** Asks where the platform stands before the first number of this run is given out. */
  async align(): Promise<void> {
    const connection = await this.connections.current();
    const token = await connection.tokens.get('telemetry');
    const url = `${this.origin}/v1/telemetry/window?stream=${STREAM}`;
    const { signal } = this;
    const answer = await connection.authorized.send(url, { method: 'GET', headers: ACCEPT, signal }, token);
    const windows = readWindows(answer.status, answer.body);
    if (windows) {
      this.follow(windows);
      this.orders.take(ordersOf(answer.body));
    } else if (answer.status === 401) connection.tokens.forget('telemetry');
    else if (answer.status === 403) throw new Denied(problemCode(answer.body) ?? 'http.403');
    if (answer.status === 401 || answer.status >= 500 || answer.status === 429) {
      throw new Later(problemCode(answer.body) ?? `http.${answer.status}`, answer.retryAfterSeconds);
    }
  }

  private async send(records: readonly QueuedRecord[]): Promise<void> {
    const connection = await this.connections.current();
    const startedAt = performance.now();
    let answer = await this.post(connection, records);
    if (answer.kind === 'token') {
      connection.tokens.forget('telemetry');
      answer = await this.post(connection, records);
    }
    if (answer.kind === 'token' || answer.kind === 'denied') throw new Denied(answer.code);
    if (answer.kind === 'later') throw new Later(answer.code, answer.retryAfterSeconds);
    if (answer.kind === 'unreadable') return this.smaller(records, answer.code);
    this.limit = Math.min(MAX_RECORDS, this.limit * 2);
    const settled = settle(records, answer.results);
    this.queue.settle(settled);
    this.tell(settled, Math.round(performance.now() - startedAt));
    this.follow(answer.windows);
    this.orders.take(answer.orders);
    if (settled.some(({ state }) => state === 'held')) this.orders.notify();
    const waiting = settled.find(({ state }) => state === 'queued');
    if (waiting) throw new Later(waiting.code, undefined);
  }

  private async post(connection: Connection, records: readonly QueuedRecord[]): Promise<Answer> {
    const token = await connection.tokens.get('telemetry');
    const { body, contentType } = await this.carrier.body(records, connection.identity);
    const wish = this.receipts ? { prefer: 'receipt' } : {};
    const headers = { ...ACCEPT, 'content-type': contentType, ...wish };
    const url = `${this.origin}/v1/telemetry`;
    const answer = await connection.authorized.send(url, { method: 'POST', headers, body }, token);
    await this.receipts?.keep(answer.body);
    const seqs = records.map(({ seq }) => seq);
    return readAnswer(answer.status, answer.body, answer.retryAfterSeconds, seqs);
  }

  /** One record that the platform cannot read must not stop those behind it: halve until it stands alone, then set it aside. */
  private smaller(records: readonly QueuedRecord[], code: string): void {
    const [only] = records;
    if (records.length > 1 || !only) {
      this.limit = Math.max(1, Math.floor(records.length / 2));
      return;
    }
    this.queue.settle([{ epoch: only.epoch, seq: only.seq, state: 'refused', verdict: 'invalid' }]);
    this.report({ event: 'refused', seq: only.seq, verdict: 'invalid', code });
  }

  private tell(settled: readonly SettledRecord[], ms: number): void {
    const queued = this.queue.waiting();
    for (const { first, upTo, count } of runs(settled)) {
      const { seq, verdict, code, state } = first;
      if (state === 'sent') {
        const event = verdict === 'duplicate' ? 'duplicate' : 'accepted';
        this.report({ event, seq, upTo, count, ms, queued });
      } else if (state === 'held') {
        this.report({ event: 'held', seq, upTo, count, verdict });
      } else if (state === 'refused') {
        this.report({ event: 'refused', seq, verdict, code });
      }
    }
  }

  private follow(windows: readonly Window[]): void {
    const window =
      windows.find(({ stream }) => stream === STREAM) ?? windows.find(({ stream }) => stream === undefined);
    const position = this.queue.position();
    const next = continuation(position, window);
    if (next.kind === 'go_on') {
      this.fill(position.epoch, window);
      return;
    }
    const held = this.queue.raiseEpoch(next.epoch);
    this.report({ event: 'epoch_raised', epoch: next.epoch, why: next.why, held });
  }

  /** Sends again what the platform names as missing and this vehicle still has. */
  private fill(epoch: number, window: Window | undefined): void {
    if (window?.epoch !== epoch) return;
    const gaps = JSON.stringify(window.missing);
    if (gaps === this.gaps || window.missing.length === 0) return;
    this.gaps = gaps;
    const count = this.queue.resend(epoch, window.missing, Math.floor(Date.now() / 1000) - RESEND_SECONDS);
    if (count > 0) this.report({ event: 'resent', count, gaps });
  }

  private somethingNew(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
      if (this.signal.aborted) resolve();
      else this.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}

function problemCode(body: string): string | undefined {
  return /"code"\s*:\s*"([a-z0-9_.]{1,80})"/.exec(body)?.[1];
}
