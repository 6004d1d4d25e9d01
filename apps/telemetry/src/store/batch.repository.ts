import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { DeviceId } from '@outrider/ids';
import { CONFIG } from '@outrider/platform/service';
import { LRUCache } from 'lru-cache';
import type { Config } from '../config.js';
import type { VerifiedRecord } from '../ingest/verified-record.js';
import { LogRecordsRepository } from '../offline-log/log-records.repository.js';
import { type Decision, type DeviceState, decideBatch, settle, type Undecided } from '../window/decide-batch.js';
import { WindowsRepository } from '../window/windows.repository.js';
import { acceptedEvent } from './accepted-event.js';
import { AcceptedEvents } from './accepted-events.service.js';
import type { Connection } from './connection.provider.js';
import { type EventGroup, EventGroupsRepository } from './event-groups.repository.js';
import { MessagesRepository } from './messages.repository.js';
import { Pipelined, type Writes } from './pipelined.provider.js';

/** What became of a batch: a decision a record, in order, and the devices as they were committed. */
export interface CommittedBatch {
  readonly decisions: readonly Decision[];
  readonly devices: ReadonlyMap<DeviceId, DeviceState>;
  /** Start of the transaction, by PostgreSQL's clock: the records' `received_at`. */
  readonly receivedAt: Date;
}

/** PostgreSQL's clock and ours may differ by this much. */
const CLOCK_MARGIN_SECONDS = 60;
const IN_WINDOW: ReadonlySet<string> = new Set(['undecided', 'duplicate', 'replayed']);

/** One transaction: lock the devices, decide, store raw messages, windows, epochs and events together. */
@Injectable()
export class BatchRepository {
  private readonly registered = new LRUCache<DeviceId, true>({ max: 100_000 });

  constructor(
    private readonly pipelined: Pipelined,
    private readonly windows: WindowsRepository,
    private readonly messages: MessagesRepository,
    private readonly logs: LogRecordsRepository,
    private readonly groups: EventGroupsRepository,
    private readonly events: AcceptedEvents,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** @throws DomainError `service.unavailable` for a PostgreSQL that is away; nothing is half stored then. Any other error is a bug or a poison record. */
  async commit(records: readonly VerifiedRecord[]): Promise<CommittedBatch> {
    const deviceIds = [...new Set(records.map((record) => record.deviceId))].sort();
    await this.register(deviceIds);
    const { committed, group } = await this.pipelined.transaction((tx) => this.decideAndStore(tx, records, deviceIds));
    if (group) this.events.sendCommitted(group);
    return committed;
  }

  private async register(deviceIds: readonly DeviceId[]): Promise<void> {
    const unknown = deviceIds.filter((id) => !this.registered.has(id));
    if (unknown.length === 0) return;
    await this.windows.register(unknown);
    for (const id of unknown) this.registered.set(id, true);
  }

  private async decideAndStore(
    tx: Connection,
    records: readonly VerifiedRecord[],
    deviceIds: readonly DeviceId[],
  ): Promise<Writes<{ committed: CommittedBatch; group?: EventGroup }>> {
    const { devices, receivedAt } = await this.windows.lock(tx, deviceIds);
    if (devices.size < deviceIds.length) {
      this.registered.clear();
      throw new Error('a registered device is gone');
    }
    const epochs = new Map([...devices].map(([id, device]) => [id, device.epoch]));
    const decided = decideBatch(records, devices, receivedAt.getTime());
    const decisions = await this.settleAll(tx, records, await this.knownFromLogs(tx, records, devices, decided));
    const accepted = records.filter((_, index) => decisions[index]!.verdict === 'accepted');
    const committed = { decisions, devices, receivedAt };
    if (accepted.length === 0) return { result: { committed }, statements: [] };
    const receivedAtText = receivedAt.toISOString();
    const group = { id: randomUUID(), events: accepted.map((record) => acceptedEvent(record, receivedAtText)) };
    const raised = [...devices].filter(([id, device]) => device.epoch !== epochs.get(id)).map(([id]) => id);
    const batches = this.messages.batchesInsertion(accepted);
    const statements = [
      ...(batches ? [batches] : []),
      this.messages.insertion(accepted),
      this.windows.windowsUpdate(devices, movedWindows(accepted, devices)),
      ...(raised.length > 0 ? [this.windows.epochsUpdate(devices, raised)] : []),
      this.groups.insertion(group),
    ];
    return { result: { committed, group }, statements };
  }

  /** What an offline log brought meanwhile is as good as stored here: the live window has a hole there, and keeps it. */
  private async knownFromLogs(
    tx: Connection,
    records: readonly VerifiedRecord[],
    devices: ReadonlyMap<DeviceId, DeviceState>,
    decisions: readonly (Decision | Undecided)[],
  ): Promise<readonly (Decision | Undecided)[]> {
    const asked = records.flatMap((record, index) => {
      const decision = decisions[index]!;
      // A second one of the same number was held against the first of this batch, which may not be taken after all.
      const open = decision.verdict === 'accepted' ? decision.filled : IN_WINDOW.has(decision.verdict);
      return open && devices.get(record.deviceId)?.backfilled ? [{ record, index }] : [];
    });
    if (asked.length === 0) return decisions;
    const known = await this.logs.known(tx, asked);
    return decisions.map((decision, index) => {
      const same = known.get(index);
      return same === undefined ? decision : { verdict: same ? 'duplicate' : 'replayed' };
    });
  }

  private async settleAll(
    tx: Connection,
    records: readonly VerifiedRecord[],
    decisions: readonly (Decision | Undecided)[],
  ): Promise<Decision[]> {
    const open = records.filter((_, index) => decisions[index]!.verdict === 'undecided');
    if (open.length === 0) return decisions as Decision[];
    const margin = this.config.skewSeconds + CLOCK_MARGIN_SECONDS;
    const stored = await this.messages.findStored(tx, open, margin);
    let at = 0;
    return decisions.map((decision) =>
      decision.verdict === 'undecided' ? settle(decision, stored.has(at++)) : decision,
    );
  }
}

/** Distinct, and only those of the epoch that the device ends in: a window left behind by a raise in the same batch holds nothing that counts. */
function movedWindows(accepted: readonly VerifiedRecord[], devices: ReadonlyMap<DeviceId, DeviceState>) {
  const moved = new Map<string, VerifiedRecord>();
  for (const record of accepted) {
    if (record.epoch === devices.get(record.deviceId)!.epoch) moved.set(`${record.deviceId} ${record.stream}`, record);
  }
  return [...moved.values()];
}
