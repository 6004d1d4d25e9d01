import { randomUUID } from 'node:crypto';
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import {
  type ConnectionOptions,
  connect,
  createInbox,
  headers,
  type MsgHdrs,
  type NatsConnection,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import { Inject, Injectable } from '@nestjs/common';
import { type EventContract, type RequestContract, readerOf, subjectOf } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { Logger } from 'pino';
import type { z } from 'zod';
import type { CommonConfig } from '../service/config.js';
import { LOGGER, RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { inSpan, traceparent } from '../service/trace.provider.js';
import { KeptPublisher } from './kept-publisher.client.js';
import { lastSecret } from './last-secret.store.js';
import type { MessageMetrics } from './message-metrics.provider.js';
import { messaging } from './messaging.js';
import { decodeReply } from './reply.js';
import { serversOf } from './servers.js';
import { tlsBy } from './tls-by.provider.js';

const REQUEST_TIMEOUT_MS = 2000;
const DIAL_TIMEOUT_MS = 3000;

/** The service's NATS connection: reconnects for ever; what it may publish and hear the server decides (libs/contracts). */
@Injectable()
export class Nats {
  readonly jetstream: JetStreamClient;
  private manager: Promise<JetStreamManager> | undefined;

  constructor(
    readonly connection: NatsConnection,
    @Inject(RUNTIME) private readonly runtime: Runtime,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly metrics?: MessageMetrics,
  ) {
    this.jetstream = jetstream(connection, { timeout: 3000 });
    void this.logStatus();
  }

  /** Whether the connection is up at this moment. */
  get connected(): boolean {
    return this.up && !this.connection.isClosed();
  }
  private up = true;

  jetstreamManager(): Promise<JetStreamManager> {
    this.manager ??= jetstreamManager(this.connection, { checkAPI: false, timeout: 3000 }).catch((error) => {
      this.manager = undefined;
      throw error;
    });
    return this.manager;
  }

  /** A fresh subject that only this connection may hear, for answers to more than one question. */
  inbox(): string {
    return createInbox(`_INBOX.${this.runtime.config.nats.user}`);
  }

  /** For many events at once; events of a transaction lie in the database until it says that they are kept. */
  keptPublisher(): KeptPublisher {
    return new KeptPublisher(this.connection, this.runtime.config.nats.user, this.runtime.instance);
  }

  /** One more connection, of the service's reader user: for a flood of events, which `allow_responses` would make dear. The caller closes it. */
  openReader(): Promise<NatsConnection> {
    const { config, service, instance } = this.runtime;
    const nats = { ...config.nats, user: readerOf(service) };
    return connectNats({ ...config, nats }, instance, this.logger);
  }

  /** An existing bucket; streams and buckets are made by the provisioner, never by a service. */
  bucket(name: string): Promise<KV> {
    return new Kvm(this.connection).open(name, { bindOnly: true });
  }

  /**
   * Asks the owner of a request contract. Throws DomainError: the responder's own code; `service.upstream_unavailable` when
   * nobody answers in time (the request may still have been carried out); `service.upstream_invalid` for an answer out of contract.
   */
  request<P extends z.ZodType, R extends z.ZodType>(
    contract: RequestContract<P, R>,
    payload: z.input<P>,
    { timeoutMs = REQUEST_TIMEOUT_MS }: { timeoutMs?: number } = {},
  ): Promise<z.output<R>> {
    const ask = () =>
      inSpan(`request ${contract.subject}`, 'client', messaging(contract.subject), () =>
        this.ask(contract, payload, timeoutMs),
      );
    return this.metrics?.asking(contract.subject, ask) ?? ask();
  }

  private async ask<P extends z.ZodType, R extends z.ZodType>(
    contract: RequestContract<P, R>,
    payload: z.input<P>,
    timeoutMs: number,
  ): Promise<z.output<R>> {
    const body = JSON.stringify(contract.payload.parse(payload));
    const reply = await this.connection
      .request(contract.subject, body, { timeout: timeoutMs, headers: this.traceHeaders() })
      .catch((cause: unknown) => {
        throw new DomainError('service.upstream_unavailable', {
          cause,
          detail: `${contract.to} did not answer ${contract.subject}`,
          retryAfterSeconds: 1,
        });
      });
    return decodeReply(contract, reply.data);
  }

  /** Publishes an ephemeral event: whoever listens now hears it. */
  publish<P extends z.ZodType>(contract: EventContract<P>, payload: z.input<P>, routing?: string): void {
    if (!contract.ephemeral) throw new Error(`${contract.subject} is kept: use the outbox`);
    this.connection.publish(subjectOf(contract, routing), JSON.stringify(contract.payload.parse(payload)), {
      headers: this.traceHeaders(),
    });
  }

  /** Publishes to JetStream and waits for its acknowledgement. The outbox is the way for events of a transaction; decisions come straight here. */
  async publishKept(subject: string, payload: string, messageId: string = randomUUID(), trace?: string): Promise<void> {
    await this.jetstream.publish(subject, payload, { msgID: messageId, headers: this.traceHeaders(trace) });
  }

  /** Resolves once the server has everything that was sent to it, subscriptions too; after `ms` at the latest, when it is away. */
  async reached(ms: number): Promise<void> {
    let late: NodeJS.Timeout | undefined;
    const given = new Promise<void>((resolve) => {
      late = setTimeout(resolve, ms);
    });
    await Promise.race([this.connection.flush().catch(() => undefined), given]);
    clearTimeout(late);
  }

  private traceHeaders(trace: string | undefined = traceparent()): MsgHdrs {
    const carried = headers();
    if (trace) carried.set('traceparent', trace);
    carried.set('outrider-instance', this.runtime.instance);
    return carried;
  }

  private async logStatus(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type === 'disconnect') this.up = false;
      if (status.type === 'reconnect') this.up = true;
      if (status.type === 'disconnect' || status.type === 'reconnect' || status.type === 'error') {
        this.logger.warn({ status: status.type, detail: 'error' in status ? String(status.error) : undefined }, 'NATS');
      }
    }
  }
}

/**
 * Connects, waiting for a server that is not there yet. A password that is refused at first is an error; later it is tried again until the
 * file and the server say the same: one of the two changes first.
 */
export async function connectNats(config: CommonConfig, name: string, logger: Logger): Promise<NatsConnection> {
  const connection = await connect({
    servers: serversOf(config.nats.url),
    // Both files are read anew for each connection: a changed password counts from the next one on. What throws here closes for good.
    authenticator: usernamePasswordAuthenticator(config.nats.user, lastSecret(config.nats.passwordFile, logger)),
    name,
    inboxPrefix: `_INBOX.${config.nats.user}`,
    // A node that is gone without a word costs so long, and then the next one is tried.
    timeout: DIAL_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    waitOnFirstConnect: true,
    pingInterval: 5000,
    maxPingOut: 2,
    ignoreClusterUpdates: true,
    // A stack trace for every publish that might fail costs more than the publish.
    noAsyncTraces: true,
    ...(config.nats.caFile ? { tls: tlsBy(config.nats.caFile, config.nats.url) } : {}),
  });
  // By then the client has read it, and it looks at it again whenever it is refused.
  (connection as unknown as { options: ConnectionOptions }).options.ignoreAuthErrorAbort = true;
  return connection;
}
