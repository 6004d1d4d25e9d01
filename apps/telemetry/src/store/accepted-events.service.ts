import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { KeptPublisher, Nats } from '@outrider/platform/nats';
import { Backlogs } from '@outrider/platform/postgres';
import { LOGGER, type Logger, Metrics, Schedule } from '@outrider/platform/service';
import { type EventGroup, EventGroupsRepository } from './event-groups.repository.js';

const FORGET_MS = 250;
const RELAY_MS = 1000;
/** What was not acknowledged by then is sent again from its row, under the same names. */
const RELAY_AFTER_SECONDS = 5;
const GROUPS_AT_ONCE = 16;
/** Events sent and not acknowledged; beyond it they wait in their rows. */
const MAX_UNACKNOWLEDGED = 20_000;
const MAX_UNACKNOWLEDGED_BYTES = 64 * 1_048_576;
const STOP_MS = 3000;

/**
 * Sends the events of a commit to JetStream straight from memory, right after it. Each group lies in `event_groups` since that very
 * transaction: what is lost here (a crash, NATS away, no acknowledgement) is sent from there. At least once, `Nats-Msg-Id` for dedupe.
 */
@Injectable()
export class AcceptedEvents implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly publisher: KeptPublisher;
  private published: string[] = [];
  private unacknowledged = 0;
  private unacknowledgedBytes = 0;
  private readonly count;

  constructor(
    private readonly groups: EventGroupsRepository,
    private readonly nats: Nats,
    private readonly schedule: Schedule,
    @Inject(LOGGER) private readonly logger: Logger,
    backlogs: Backlogs,
    metrics: Metrics,
  ) {
    backlogs.watch('event_groups', 'SELECT created_at AS since FROM event_groups ORDER BY created_at');
    this.publisher = nats.keptPublisher();
    this.count = metrics.counter('outrider_outbox_published_total', 'Events published from the outbox.');
    const waiting = metrics.gauge('outrider_telemetry_events_unacknowledged', 'Events sent and not acknowledged yet.');
    Object.assign(waiting, { collect: () => waiting.set(this.unacknowledged) });
  }

  onApplicationBootstrap(): void {
    this.schedule.every(FORGET_MS, 'published events are still kept', () => this.forget());
    this.schedule.every(RELAY_MS, 'events wait: PostgreSQL or NATS is away', () => this.relay());
  }

  async onApplicationShutdown(): Promise<void> {
    const end = Date.now() + STOP_MS;
    while (this.unacknowledged > 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    await this.forget().catch((error: unknown) => this.logger.warn({ err: error }, 'published events are still kept'));
  }

  /** For a group whose commit is done. Never throws, never waits: what fails is in the group's row. */
  sendCommitted(group: EventGroup): void {
    if (!this.nats.connected || !this.publisher.answered || this.hasEnough(group)) return;
    this.send(group).then(
      () => this.published.push(group.id),
      (error: unknown) => this.logger.warn({ err: error }, 'events are sent again later'),
    );
  }

  private hasEnough(group: EventGroup): boolean {
    const bytes = this.unacknowledgedBytes + bytesOf(group);
    return this.unacknowledged + group.events.length > MAX_UNACKNOWLEDGED || bytes > MAX_UNACKNOWLEDGED_BYTES;
  }

  private async send(group: EventGroup): Promise<void> {
    const { id, events } = group;
    const bytes = bytesOf(group);
    this.unacknowledged += events.length;
    this.unacknowledgedBytes += bytes;
    try {
      await this.publisher.publishAll(id, events);
      this.count.inc(events.length);
    } finally {
      this.unacknowledged -= events.length;
      this.unacknowledgedBytes -= bytes;
    }
  }

  private async forget(): Promise<void> {
    const ids = this.published;
    if (ids.length === 0) return;
    this.published = [];
    try {
      await this.groups.remove(ids);
    } catch (error) {
      this.published.push(...ids);
      throw error;
    }
  }

  private async relay(): Promise<void> {
    await this.forget();
    const sendAll = async (waiting: EventGroup[]) => {
      for (const group of waiting) await this.send(group);
    };
    while ((await this.groups.relay(RELAY_AFTER_SECONDS, GROUPS_AT_ONCE, sendAll)) === GROUPS_AT_ONCE);
  }
}

function bytesOf({ events }: EventGroup): number {
  let bytes = 0;
  for (const { payload } of events) bytes += payload.length;
  return bytes;
}
