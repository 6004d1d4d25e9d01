import { type ConsumerMessages, type JsMsg, jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { type BeforeApplicationShutdown, Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { durableName, EVENTS_STREAM, messageAccepted } from '@outrider/contracts';
import type { DeviceId } from '@outrider/ids';
import { Nats } from '@outrider/platform/nats';
import { LOGGER, type Logger, Metrics, Schedule } from '@outrider/platform/service';
import { type Conditions, merge, readConditions } from './conditions.js';
import { ConditionsRepository } from './conditions.repository.js';

const FLUSH_MS = 1000;
const RETRY_MS = 1000;
const AHEAD = 2000;
const PREFIX = `${messageAccepted.subject}.`;

/**
 * Hears every accepted message and keeps each vehicle's last word: gathered in memory, written once a second in one statement, and
 * only then acknowledged, all at once. A flood costs reading it, not a write a message. While PostgreSQL is away what is gathered
 * stays, a row a vehicle, and NATS holds the rest back. Several replicas share the stream: one that is killed may lose the second it
 * had gathered, and the vehicle's next message heals that.
 */
@Injectable()
export class TelemetryConsumer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private gathered = new Map<DeviceId, Conditions>();
  private writing: ReadonlyMap<DeviceId, Conditions> = new Map();
  private last: JsMsg | undefined;
  private messages: ConsumerMessages | undefined;
  private reader: Promise<NatsConnection> | undefined;
  private running: Promise<void> | undefined;
  private stopped = false;
  private readonly heard;
  private readonly malformed;
  private readonly written;

  constructor(
    private readonly nats: Nats,
    private readonly conditions: ConditionsRepository,
    private readonly schedule: Schedule,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.heard = metrics.counter('outrider_gateway_telemetry_heard_total', 'Accepted telemetry messages looked at.');
    this.malformed = metrics.counter('outrider_gateway_telemetry_malformed_total', 'Of those, out of contract.');
    this.written = metrics.counter('outrider_gateway_attributes_written_total', 'Rows of conditions written.');
  }

  onApplicationBootstrap(): void {
    this.schedule.every(FLUSH_MS, "vehicles' conditions are not written", () => this.flush());
    this.running = this.consume();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    await this.messages?.close().catch(() => undefined);
    await this.running;
    // Unacknowledged, it comes again.
    await this.flush().catch((error: unknown) =>
      this.logger.warn({ err: error }, 'the last conditions are not written'),
    );
    await this.reader?.then((connection) => connection.drain()).catch(() => undefined);
  }

  /** What this instance has heard of the vehicle and not written yet. */
  unwritten(deviceId: DeviceId): Conditions | undefined {
    const [before, now] = [this.writing.get(deviceId), this.gathered.get(deviceId)];
    return now ? merge(before, now) : before;
  }

  async flush(): Promise<void> {
    const { last } = this;
    if (this.writing.size > 0) return;
    this.writing = this.gathered;
    this.gathered = new Map();
    try {
      if (this.writing.size > 0) await this.conditions.save(this.writing);
      this.written.inc(this.writing.size);
      last?.ack();
      if (this.last === last) this.last = undefined;
    } catch (error) {
      for (const [deviceId, one] of this.writing) this.gather(deviceId, one);
      throw error;
    } finally {
      this.writing = new Map();
    }
  }

  /** Anew where it could not be opened, or was closed. */
  private async openReader(): Promise<NatsConnection> {
    const before = await this.reader?.catch(() => undefined);
    if (!before || before.isClosed()) this.reader = this.nats.openReader();
    return this.reader as Promise<NatsConnection>;
  }

  private async consume(): Promise<void> {
    while (!this.stopped) {
      try {
        const durable = durableName('gateway', messageAccepted);
        const consumer = await jetstream(await this.openReader()).consumers.get(EVENTS_STREAM.name, durable);
        this.messages = await consumer.consume({ max_messages: AHEAD, expires: 10_000 });
        for await (const msg of this.messages) this.hear(msg);
      } catch (error) {
        this.logger.warn({ err: error }, 'telemetry is not heard; it starts again');
      }
      if (!this.stopped) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  private hear(msg: JsMsg): void {
    this.heard.inc();
    this.last = msg;
    const { deviceId, ts, payload } = fields(msg);
    // A consumer's maker chooses the subject that it delivers to; the message carries the one it was published to.
    if (msg.subject !== `${PREFIX}${deviceId}` || typeof ts !== 'number' || typeof payload !== 'string') {
      this.malformed.inc();
      return;
    }
    const conditions = readConditions(ts, payload);
    if (conditions) this.gather(deviceId as DeviceId, conditions);
  }

  private gather(deviceId: DeviceId, conditions: Conditions): void {
    this.gathered.set(deviceId, merge(this.gathered.get(deviceId), conditions));
  }
}

/** Cheaper than the whole schema, which telemetry held the message against when it sent it. */
function fields(msg: JsMsg): { deviceId?: unknown; ts?: unknown; payload?: unknown } {
  try {
    return JSON.parse(msg.string()) ?? {};
  } catch {
    return {};
  }
}
