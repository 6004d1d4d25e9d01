import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type EventContract, subjectOf } from '@outrider/contracts';
import type { Logger } from 'pino';
import type { EntityManager } from 'typeorm';
import type { z } from 'zod';
import { contractOf, messaging } from '../nats/messaging.js';
import { Nats } from '../nats/nats.client.js';
import { Metrics } from '../service/metrics.service.js';
import { LOGGER, RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { runInTrace, runSpan, traceparent } from '../service/trace.provider.js';
import { afterCommit, Database } from './database.service.js';

const BATCH = 256;
const POLL_MS = 1000;
const RETRY_MS = 500;

interface OutboxRow {
  id: string;
  message_id: string;
  subject: string;
  payload: string;
  traceparent: string | null;
}

/** One event for `Outbox.add`; `routing` where the contract is routed. */
export interface OutboxMessage {
  readonly subject: string;
  readonly payload: string;
}

/**
 * The transactional outbox: an event is queued in the transaction that makes it true, and published to JetStream after the
 * commit, in order, at least once, `Nats-Msg-Id` for dedupe. One relay at a time a service (advisory lock), so order holds across replicas.
 */
@Injectable()
export class Outbox implements OnApplicationBootstrap, OnApplicationShutdown {
  private running: Promise<void> | undefined;
  private again = false;
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly published;
  private readonly kickHook = () => this.kick();

  constructor(
    private readonly database: Database,
    private readonly nats: Nats,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(RUNTIME) private readonly runtime: Runtime,
    metrics: Metrics,
  ) {
    this.published = metrics.counter('outrider_outbox_published_total', 'Events published from the outbox.');
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(this.kickHook, POLL_MS);
    this.kick();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await this.running;
  }

  /** Queues one event in `tx`. The payload is checked against its contract: a misfit is a bug of ours and throws. */
  async add<P extends z.ZodType>(
    tx: EntityManager,
    contract: EventContract<P>,
    payload: z.input<P>,
    routing?: string,
  ): Promise<void> {
    await this.addAll(tx, [message(contract, payload, routing)]);
  }

  /** Queues many in one statement; make them with `message`. */
  async addAll(tx: EntityManager, messages: readonly OutboxMessage[]): Promise<void> {
    if (messages.length === 0) return;
    await tx.query(INSERT, insertParameters(messages));
    afterCommit(tx, this.kickHook);
  }

  /** Starts the relay now; hot paths that insert by themselves call it after their commit. */
  kick(): void {
    if (this.stopped) return;
    this.again = true;
    // What it carries is many requests', and none of it the one's that happened to start it.
    this.running ??= runInTrace(undefined, () => this.drain()).finally(() => {
      this.running = undefined;
      if (this.again) this.kick();
    });
  }

  private async drain(): Promise<void> {
    while (this.again && !this.stopped) {
      this.again = false;
      try {
        while (!this.stopped && (await this.relayBatch()) === BATCH);
      } catch (error) {
        this.logger.warn({ err: error }, 'the outbox waits: PostgreSQL or NATS is away');
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        this.again = false;
      }
    }
  }

  private relayBatch(): Promise<number> {
    return this.database.transaction(async (tx) => {
      const [lock] = await tx.query(
        `SELECT pg_try_advisory_xact_lock(hashtextextended(current_schema() || '.outbox', 0)) AS mine`,
      );
      if (!lock.mine) return 0;
      const rows: OutboxRow[] = await tx.query(
        'SELECT id, message_id, subject, payload, traceparent FROM outbox ORDER BY id LIMIT $1',
        [BATCH],
      );
      if (rows.length === 0) return 0;
      await Promise.all(rows.map((row) => this.publish(row)));
      await tx.query('DELETE FROM outbox WHERE id = ANY($1)', [rows.map((row) => row.id)]);
      this.published.inc(rows.length);
      return rows.length;
    });
  }

  /** In the trace of the request that committed it, where that is recorded. */
  private publish({ subject, payload, message_id, traceparent: committedIn }: OutboxRow): Promise<void> {
    const header = committedIn ?? undefined;
    const contract = contractOf(subject);
    const trace = this.runtime.tracing?.resume(header, `publish ${contract}`, 'producer', messaging(contract));
    if (!trace) return this.nats.publishKept(subject, payload, message_id, header);
    return runSpan(trace, () => this.nats.publishKept(subject, payload, message_id));
  }
}

/** For callers with SQL of their own: the insert statement, fed by `insertParameters`. */
export const INSERT = `INSERT INTO outbox (subject, payload, traceparent) SELECT s, p, $3 FROM unnest($1::text[], $2::text[]) AS t(s, p)`;

export function insertParameters(messages: readonly OutboxMessage[]): unknown[] {
  return [messages.map((m) => m.subject), messages.map((m) => m.payload), traceparent() ?? null];
}

/** Serializes one event after checking it against its contract. */
export function message<P extends z.ZodType>(
  contract: EventContract<P>,
  payload: z.input<P>,
  routing?: string,
): OutboxMessage {
  return { subject: subjectOf(contract, routing), payload: JSON.stringify(contract.payload.parse(payload)) };
}
