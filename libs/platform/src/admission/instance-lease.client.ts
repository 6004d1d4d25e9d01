import { headers } from '@nats-io/transport-node';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { INSTANCES_BUCKET } from '@outrider/contracts';
import type { Logger } from 'pino';
import { Nats } from '../nats/nats.client.js';
import { LOGGER, RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { DenylistFeed } from './denylist-feed.client.js';

const RENEW_MS = 3000;

/** Keeps this instance's lease `<service>.<instance>` = `{sequence, at}`: who counts when revocation asks whether all enforce. */
@Injectable()
export class InstanceLease implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private readonly subject: string;

  constructor(
    private readonly nats: Nats,
    private readonly feed: DenylistFeed,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(RUNTIME) runtime: Runtime,
  ) {
    // A put of the KV interface, without the right to read the bucket that opening it would need.
    this.subject = `$KV.${INSTANCES_BUCKET.name}.${runtime.service}.${runtime.instance}`;
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.renew(), RENEW_MS);
    void this.renew();
  }

  /** An instance that stops in order is not waited for. */
  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    const deletion = headers();
    deletion.set('KV-Operation', 'DEL');
    await this.send('', deletion);
  }

  private renew(): Promise<void> {
    return this.send(JSON.stringify({ sequence: this.feed.sequence, at: new Date().toISOString() }));
  }

  private async send(value: string, extra = headers()): Promise<void> {
    if (!this.nats.connected) return;
    try {
      await this.nats.jetstream.publish(this.subject, value, { headers: extra, timeout: RENEW_MS });
    } catch (error) {
      this.logger.warn({ err: error }, 'the lease was not renewed');
    }
  }
}
