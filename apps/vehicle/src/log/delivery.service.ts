/** Answers fetch orders: tells the platform what this vehicle holds, and delivers the parts of its log that are asked for. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Connection, ConnectionService } from '../agent/connection.service.js';
import { Denied, Later, LinkService } from '../agent/link.service.js';
import type { LogsDelivered } from '../command/handlers.js';
import type { VehicleAnswer, VehicleRequest } from '../http/vehicle.client.js';
import type { KeyStore } from '../keys/key-store.js';
import type { Report } from '../report/report.service.js';
import { STREAM } from '../telemetry/stream.js';
import { asks, type DeliveryPlan, deliveryText, planDelivery, type StoredSegment, segmentBody } from './delivery.js';
import { type FetchOrder, ordersOf } from './fetch-order.js';
import type { BackfillResult, LogStore, OpenOrder } from './log.store.js';
import type { LogKeeperService } from './log-keeper.service.js';
import { ANSWER_WITHIN_MS, LogsWanted } from './logs-wanted.service.js';

/** Between two questions whether the platform wants what is held. */
const ASK_EVERY_MS = 60_000;
/** Something was held, or an order came: what else happens in this moment is gone with, too. */
const SETTLE_MS = 250;
const HELD_RANGES = 32;
/** Deliveries of one order that may be refused before the vehicle leaves it to a person. */
const MAX_ATTEMPTS = 3;
/** Orders for what an operator wants come a part at a time. */
const WANTED_TURNS = 64;
const FINISH_TIMEOUT_MS = 120_000;
/** Rounds that a vehicle about to end makes for what is left. */
const LAST_ROUNDS = 5;

const Upload = z.object({ upload: z.uuid(), received: z.int().min(0) });
const Finished = z.object({
  results: z.array(z.object({ epoch: z.int(), from: z.int(), to: z.int(), verdict: z.string() })),
});

export class DeliveryService {
  private wake: () => void = () => undefined;
  private wanted: LogsWanted | undefined;

  constructor(
    private readonly log: LogStore,
    private readonly keeper: LogKeeperService,
    private readonly keys: KeyStore,
    private readonly connections: ConnectionService,
    private readonly origin: string,
    private readonly report: Report,
    private readonly signal: AbortSignal,
    private readonly answerWithinMs = ANSWER_WITHIN_MS,
  ) {}

  /** Orders that came with an answer. */
  take(orders: readonly FetchOrder[]): void {
    if (orders.length > 0 && this.log.take(orders)) this.wake();
  }

  /** Records were refused that only a log can deliver. */
  notify(): void {
    this.wake();
  }

  /** Has the platform order what was recorded in the last `seconds`, and delivers it. What takes longer than an answer may goes on. Rejects with Interrupted when the vehicle ends. */
  deliverLogs(seconds: number): Promise<LogsDelivered | undefined> {
    this.wanted = new LogsWanted(this.log.spanSince(Math.floor(Date.now() / 1000) - seconds), this.log);
    this.wake();
    return this.wanted.settled(this.signal, this.answerWithinMs);
  }

  /** Runs until the signal; rejects only for a bug. */
  async run(): Promise<void> {
    const link = new LinkService('telemetry:backfill', this.report, this.signal);
    await this.connections.current();
    while (!this.signal.aborted) {
      const woken = this.woken();
      try {
        await this.round();
        link.good();
      } catch (error) {
        await link.failed(error);
        continue;
      }
      await woken;
    }
  }

  /** For a vehicle that is about to end: delivers what can be delivered now. */
  async drained(): Promise<void> {
    for (let round = 0; round < LAST_ROUNDS && !this.signal.aborted && this.somethingLeft(); round += 1) {
      this.wake();
      await sleep(SETTLE_MS * 4, undefined, { signal: this.signal }).catch(() => undefined);
    }
  }

  private somethingLeft(): boolean {
    return this.log.orders().length > 0 || this.log.held(1).length > 0;
  }

  private async round(): Promise<void> {
    for (const { epoch, ranges } of this.log.held(HELD_RANGES)) await this.ask(epoch, ranges);
    await this.deliverOrders();
    if (this.wanted && !this.wanted.over) await this.deliverWanted(this.wanted);
  }

  private async deliverOrders(): Promise<void> {
    for (const open of this.log.orders()) {
      if (this.signal.aborted) return;
      await this.deliver(open);
    }
  }

  private async deliverWanted(wanted: LogsWanted): Promise<void> {
    for (let turn = 0; turn < WANTED_TURNS && !this.signal.aborted; turn += 1) {
      for (const { epoch, ranges } of this.log.within(wanted.span, HELD_RANGES)) await this.ask(epoch, ranges);
      if (this.log.orders().length === 0) break;
      await this.deliverOrders();
    }
    if (!this.signal.aborted) wanted.done();
  }

  private async ask(epoch: number, held: readonly (readonly [number, number])[]): Promise<void> {
    const body = JSON.stringify({ stream: STREAM, epoch, held });
    const answer = await this.send('/v1/telemetry/fetch-orders', { method: 'POST', body });
    if (answer.status === 200) this.log.take(ordersOf(answer.body));
  }

  private async deliver({ order, plan: begun, attempts }: OpenOrder): Promise<void> {
    if (!begun) await this.keeper.seal('all');
    const segments = this.log.segments();
    const plan = begun ?? planDelivery(order, segments);
    if (!plan) return this.close(order, 'nothing_left');
    const chosen = segments.filter(({ segment }) => segment >= plan.first && segment <= plan.last);
    const startedAt = performance.now();
    const upload = await this.begin(order);
    if (!upload) return;
    this.log.plan(order.id, plan);
    for (const [part, segment] of chosen.entries()) {
      if (part < upload.received) continue;
      const records = asks(order, segment) && segment.whole ? this.log.records(segment) : undefined;
      const body = segmentBody(segment, records);
      const answer = await this.send(`/v1/telemetry/offline-logs/${upload.upload}/segments/${part}`, {
        method: 'PUT',
        body,
      });
      if (answer.status !== 200) return this.refused(order, attempts, answer);
    }
    const answer = await this.finish(order, plan, chosen, upload.upload);
    const finished = answer.status === 200 ? Finished.safeParse(parse(answer.body)) : undefined;
    if (!finished?.success) return this.refused(order, attempts, answer);
    this.told(order, finished.data.results, Math.round(performance.now() - startedAt));
  }

  private async begin(order: FetchOrder) {
    const body = JSON.stringify({ order: order.id });
    const answer = await this.send('/v1/telemetry/offline-logs', { method: 'POST', body });
    const upload = Upload.safeParse(parse(answer.body));
    if (answer.status === 200 && upload.success) return upload.data;
    // Answered, cancelled, expired, or never ours: there is nothing to be done about it.
    this.close(order, codeOf(answer));
    return undefined;
  }

  private async finish(order: FetchOrder, plan: DeliveryPlan, chosen: readonly StoredSegment[], upload: string) {
    const { identity } = await this.connections.current();
    const text = deliveryText(identity.deviceId, this.log.name, order, plan, chosen.at(-1)?.sha256 ?? '');
    const signature = await this.keys.sign(identity.keyName, Buffer.from(text));
    const kid = JSON.stringify(identity.thumbprint);
    const body = `{"delivery":${text},"signature":"${signature.toString('base64url')}","kid":${kid}}`;
    const path = `/v1/telemetry/offline-logs/${upload}/finish`;
    return this.send(path, { method: 'POST', body, timeoutMs: FINISH_TIMEOUT_MS });
  }

  private told(order: FetchOrder, results: readonly BackfillResult[], ms: number): void {
    const delivered = this.log.finish(order.id, 'fulfilled', results);
    this.wanted?.told(results);
    const accepted = results.filter(({ verdict }) => verdict === 'accepted');
    const count = accepted.reduce((sum, { from, to }) => sum + to - from + 1, 0);
    this.report({ event: 'backfilled', order: order.id, count, delivered, ranges: JSON.stringify(order.ranges), ms });
  }

  private close(order: FetchOrder, why: string): void {
    this.log.finish(order.id, why);
    this.report({ event: 'order_closed', order: order.id, why });
  }

  /** What the platform refuses is this vehicle's word against its own log: a person has to look. */
  private refused(order: FetchOrder, attempts: number, answer: VehicleAnswer): void {
    const code = codeOf(answer);
    this.log.attempted(order.id);
    this.report({ event: 'log_refused', what: `order ${order.id}`, code, detail: detailOf(answer) });
    if (attempts + 1 >= MAX_ATTEMPTS) this.close(order, code);
    else this.wake();
  }

  /** Throws where the same may do later; gives every other answer. */
  private async send(path: string, request: Omit<VehicleRequest, 'headers'>): Promise<VehicleAnswer> {
    const connection = await this.connections.current();
    let answer = await this.sendWith(connection, path, request);
    if (answer.status === 401) {
      connection.tokens.forget('backfill');
      answer = await this.sendWith(connection, path, request);
    }
    const { status, retryAfterSeconds } = answer;
    if (status === 401 || status === 403) throw new Denied(codeOf(answer));
    if (status === 429 || status >= 500) throw new Later(codeOf(answer), retryAfterSeconds);
    return answer;
  }

  private async sendWith({ tokens, authorized }: Connection, path: string, request: Omit<VehicleRequest, 'headers'>) {
    const token = await tokens.get('backfill');
    const headers = { accept: 'application/json', 'content-type': 'application/json' };
    return authorized.send(`${this.origin}${path}`, { signal: this.signal, ...request, headers }, token);
  }

  /** Something to do, or it is time to ask again. */
  private async woken(): Promise<void> {
    const waiting = new AbortController();
    this.wake = () => waiting.abort();
    const signal = AbortSignal.any([this.signal, waiting.signal]);
    await sleep(ASK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    if (waiting.signal.aborted) await sleep(SETTLE_MS, undefined, { signal: this.signal }).catch(() => undefined);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function codeOf({ status, body }: VehicleAnswer): string {
  return z.object({ code: z.string() }).safeParse(parse(body)).data?.code ?? `http.${status}`;
}

function detailOf({ body }: VehicleAnswer): string {
  return z.object({ detail: z.string() }).safeParse(parse(body)).data?.detail?.slice(0, 300) ?? '';
}
