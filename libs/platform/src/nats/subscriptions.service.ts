import type { Consumer, ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { Msg, Subscription } from '@nats-io/transport-node';
import { Inject, Injectable } from '@nestjs/common';
import {
  durableName,
  EVENTS_STREAM,
  type EventContract,
  filterOf,
  type RequestContract,
  subjectOf,
} from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { Logger } from 'pino';
import type { z } from 'zod';
import { Database } from '../postgres/database.service.js';
import { isUnstorable } from '../postgres/failure.js';
import { Metrics } from '../service/metrics.service.js';
import { LOGGER, RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { currentTrace, newSpan, runSpan, type SpanRole, type Trace, withTrace } from '../service/trace.provider.js';
import { MessageMetrics } from './message-metrics.provider.js';
import { messaging } from './messaging.js';
import { Nats } from './nats.client.js';
import { encodeError, encodeReply } from './reply.js';

const RETRY_MS = 1000;
/** How often the server is asked how much a consumer has before it. */
const LAG_EVERY_MS = 10_000;

/** What a handler is told besides the payload. */
export interface EventMeta {
  readonly subject: string;
  /** The routing token of a routed subject. */
  readonly routing: string | undefined;
  /** Sequence in the stream: grows with every kept event. */
  readonly streamSequence: number;
}

/**
 * Answers requests and hears events. A malformed message is logged, counted and set aside (table `set_aside_messages`), never
 * delivered again and never fatal; a handler that fails on a good one sees it again.
 */
@Injectable()
export class Subscriptions {
  private readonly open: (Subscription | ConsumerMessages)[] = [];
  private readonly working = new Set<Promise<void>>();
  private stopped = false;
  private readonly malformed;
  private readonly messages;
  private readonly consumers = new Map<string, Consumer>();
  private lagTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly nats: Nats,
    private readonly database: Database,
    @Inject(RUNTIME) private readonly runtime: Runtime,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.messages = new MessageMetrics(metrics);
    this.malformed = metrics.counter('outrider_nats_malformed_total', 'Messages out of contract, set aside.', [
      'subject',
    ]);
  }

  /**
   * Takes no more, and resolves once what was taken is answered. No hook of its own: it comes before the hooks by which the feed and the
   * lease are given up (`PlatformModule`).
   */
  async drain(): Promise<void> {
    this.stopped = true;
    clearInterval(this.lagTimer);
    for (const subscription of [...this.open]) {
      if ('drain' in subscription) await subscription.drain().catch(() => undefined);
      else await subscription.close().catch(() => undefined);
    }
    await Promise.allSettled(this.working);
  }

  /** Answers a request contract; replicas share the load (queue group = service). */
  answer<P extends z.ZodType, R extends z.ZodType>(
    contract: RequestContract<P, R>,
    handler: (payload: z.output<P>) => Promise<z.input<R>>,
  ): void {
    this.malformed.inc({ subject: contract.subject }, 0);
    const subscription = this.nats.connection.subscribe(contract.subject, { queue: this.runtime.service });
    this.open.push(subscription);
    this.track(
      (async () => {
        for await (const msg of subscription) {
          if (msg.subject === contract.subject) this.track(this.answerOne(contract, handler, msg));
          else this.refuseCarried(contract.subject, msg);
        }
      })(),
    );
  }

  /** Hears an ephemeral event: every instance hears each. */
  hear<P extends z.ZodType>(
    contract: EventContract<P>,
    handler: (payload: z.output<P>, routing?: string) => void | Promise<void>,
  ): void {
    this.listen(contract, filterOf(contract), handler);
  }

  /**
   * Hears a routed ephemeral event of one routing token, until the returned function is called: the server sends this instance nothing
   * else. What is published before the server has heard of the interest is missed: `Nats.reached` waits for that.
   */
  hearOf<P extends z.ZodType>(
    contract: EventContract<P>,
    routing: string,
    handler: (payload: z.output<P>) => void | Promise<void>,
  ): () => void {
    const subscription = this.listen(contract, subjectOf(contract, routing), handler);
    return () => {
      subscription.unsubscribe();
      const at = this.open.indexOf(subscription);
      if (at >= 0) this.open.splice(at, 1);
    };
  }

  private listen<P extends z.ZodType>(
    contract: EventContract<P>,
    subject: string,
    handler: (payload: z.output<P>, routing?: string) => void | Promise<void>,
  ): Subscription {
    if (!contract.ephemeral) throw new Error(`${contract.subject} is kept: consume it`);
    this.malformed.inc({ subject: contract.subject }, 0);
    const subscription = this.nats.connection.subscribe(subject);
    this.open.push(subscription);
    this.track(
      (async () => {
        for await (const msg of subscription) {
          if (!isOf(contract, msg.subject)) {
            this.refuseCarried(contract.subject, msg);
            continue;
          }
          await withTrace(traceparentOf(msg), async () => {
            try {
              const payload = contract.payload.parse(JSON.parse(msg.string()));
              await handler(payload, contract.routed ? msg.subject.slice(contract.subject.length + 1) : undefined);
            } catch (error) {
              await this.setAside(msg.subject, msg.data, error);
            }
          });
        }
      })(),
    );
    return subscription;
  }

  /** Consumes a kept event by the service's durable consumer: at least once, in order; replicas share it. Handlers are idempotent. */
  consume<P extends z.ZodType>(
    contract: EventContract<P>,
    handler: (payload: z.output<P>, meta: EventMeta) => Promise<void>,
  ): void {
    // There from the beginning: an alert sees a count grow, not one that appears.
    this.malformed.inc({ subject: contract.subject }, 0);
    this.lagTimer ??= setInterval(() => void this.measureLag(), LAG_EVERY_MS).unref();
    this.track(this.consumeForEver(contract, handler));
  }

  private async answerOne<P extends z.ZodType, R extends z.ZodType>(
    contract: RequestContract<P, R>,
    handler: (payload: z.output<P>) => Promise<z.input<R>>,
    msg: Msg,
  ): Promise<void> {
    await runSpan(this.enter('answer', 'server', contract.subject, msg), async () => {
      try {
        const parsed = contract.payload.safeParse(parseJson(msg.data));
        if (!parsed.success) {
          this.malformed.inc({ subject: contract.subject });
          throw new DomainError('request.invalid', {
            cause: parsed.error,
            detail: `${contract.subject}: the request is out of contract`,
          });
        }
        const { data } = parsed;
        const reply = await this.messages.answering(contract.subject, async () =>
          contract.reply.parse(await handler(data)),
        );
        msg.respond(encodeReply(reply));
      } catch (error) {
        if (error instanceof DomainError)
          this.logger.info({ subject: contract.subject, code: error.code, detail: error.detail }, 'refused');
        else this.logger.error({ err: error, subject: contract.subject }, 'a request failed');
        currentTrace()?.span?.fail(error);
        msg.respond(encodeError(error));
      }
    });
  }

  private async consumeForEver<P extends z.ZodType>(
    contract: EventContract<P>,
    handler: (payload: z.output<P>, meta: EventMeta) => Promise<void>,
  ): Promise<void> {
    while (!this.stopped) {
      try {
        const messages = await this.openConsumer(contract);
        this.open.push(messages);
        for await (const msg of messages) await this.consumeOne(contract, handler, msg);
        this.open.splice(this.open.indexOf(messages), 1);
      } catch (error) {
        this.logger.warn({ err: error, subject: contract.subject }, 'the consumer starts again');
      }
      if (!this.stopped) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Made by the provisioner: a service may read from it and nothing more. */
  private async openConsumer(contract: EventContract): Promise<ConsumerMessages> {
    const durable = durableName(this.runtime.service, contract);
    const consumer = await this.nats.jetstream.consumers.get(EVENTS_STREAM.name, durable);
    this.consumers.set(contract.subject, consumer);
    return consumer.consume({ max_messages: 256, expires: 10_000 });
  }

  private async consumeOne<P extends z.ZodType>(
    contract: EventContract<P>,
    handler: (payload: z.output<P>, meta: EventMeta) => Promise<void>,
    msg: JsMsg,
  ): Promise<void> {
    const { subject } = contract;
    const begunMs = performance.now();
    const parsed = contract.payload.safeParse(parseJson(msg.data));
    if (!parsed.success) {
      const isKept = await withTrace(traceparentOf(msg), () => this.setAside(msg.subject, msg.data, parsed.error));
      if (isKept) msg.term();
      else msg.nak(RETRY_MS);
      this.messages.event(subject, isKept ? 'set_aside' : 'again', begunMs);
      return;
    }
    const routing = contract.routed ? msg.subject.slice(contract.subject.length + 1) : undefined;
    await runSpan(this.enter('consume', 'consumer', contract.subject, msg), async () => {
      try {
        await handler(parsed.data, { subject: msg.subject, routing, streamSequence: msg.seq });
        msg.ack();
        this.messages.event(subject, 'handled', begunMs);
      } catch (error) {
        currentTrace()?.span?.fail(error);
        // Or it would come again for ever, and a thousand like it would be all that the server delivers.
        if (isUnstorable(error) && (await this.setAside(msg.subject, msg.data, error))) {
          msg.term();
          this.messages.event(subject, 'set_aside', begunMs);
          return;
        }
        this.logger.warn(
          { err: error, subject: msg.subject, deliveries: msg.info.deliveryCount },
          'an event will come again',
        );
        msg.nak(Math.min(30_000, RETRY_MS * msg.info.deliveryCount));
        this.messages.event(subject, 'again', begunMs);
      }
    });
  }

  private async measureLag(): Promise<void> {
    if (!this.nats.connected) return;
    for (const [subject, consumer] of this.consumers) {
      const info = await consumer.info().catch(() => undefined);
      if (info) this.messages.waiting(subject, info.num_pending + info.num_ack_pending);
    }
  }

  /** What a service says of being recorded counts here: it decided when the request came in. */
  private enter(verb: string, role: SpanRole, subject: string, { headers }: Pick<Msg | JsMsg, 'headers'>): Trace {
    const header = headers?.get('traceparent');
    const { tracing } = this.runtime;
    return tracing?.enter(header, true, `${verb} ${subject}`, role, messaging(subject)) ?? newSpan(header);
  }

  /**
   * JetStream delivers to the subject that a consumer's maker chose, whatever he may publish himself; the message then still carries
   * the subject it was published to. It is not of this contract, whoever sent it, and is neither answered nor kept.
   */
  private refuseCarried(subject: string, msg: Msg): void {
    this.malformed.inc({ subject });
    withTrace(traceparentOf(msg), () =>
      this.logger.error({ subject, carried: msg.subject.slice(0, 200) }, 'a message of another subject is refused'),
    );
  }

  /** True when the message is safely in the table. */
  private async setAside(subject: string, data: Uint8Array, error: unknown): Promise<boolean> {
    // Without the routing token: a label for each device would grow for ever.
    this.malformed.inc({ subject: subject.replace(/(\.v\d+)\..*$/, '$1') });
    this.logger.error({ err: error, subject }, 'a message out of contract is set aside');
    try {
      await this.database.query('INSERT INTO set_aside_messages (subject, data, error) VALUES ($1, $2, $3)', [
        subject,
        Buffer.from(data),
        String(error).slice(0, 2000),
      ]);
      return true;
    } catch (cause) {
      this.logger.error({ err: cause, subject }, 'a message could not be set aside');
      return false;
    }
  }

  private track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => this.logger.error({ err: error }, 'a subscription failed'))
      .finally(() => this.working.delete(tracked));
    this.working.add(tracked);
  }
}

function traceparentOf({ headers }: Pick<Msg | JsMsg, 'headers'>): string | undefined {
  return headers?.get('traceparent');
}

function isOf(contract: EventContract, subject: string): boolean {
  return contract.routed ? subject.startsWith(`${contract.subject}.`) : subject === contract.subject;
}

function parseJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
  } catch {
    return undefined;
  }
}
