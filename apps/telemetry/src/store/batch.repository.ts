import { Inject, Injectable } from '@nestjs/common';
import { messageAccepted } from '@outrider/contracts';
import type { DeviceId } from '@outrider/ids';
import {
  Database,
  OUTBOX_INSERT,
  Outbox,
  type OutboxMessage,
  outboxMessage,
  outboxParameters,
} from '@outrider/platform/postgres';
import { CONFIG } from '@outrider/platform/service';
import { LRUCache } from 'lru-cache';
import type { Config } from '../config.js';
import type { VerifiedRecord } from '../ingest/verified-record.js';
import { LogRecordsRepository } from '../offline-log/log-records.repository.js';
import { type Decision, type DeviceState, decideBatch, settle, type Undecided } from '../window/decide-batch.js';
import { WindowsRepository } from '../window/windows.repository.js';
import { type Connection, inTransaction } from './connection.provider.js';
import { MessagesRepository } from './messages.repository.js';

/** What became of a batch: a decision a record, in order, and the devices as they were committed. */
export interface CommittedBatch {
  readonly decisions: readonly Decision[];
  readonly devices: ReadonlyMap<DeviceId, DeviceState>;
}

/** PostgreSQL's clock and ours may differ by this much. */
const CLOCK_MARGIN_SECONDS = 60;

/** One transaction: lock the devices, decide, store raw messages, windows, epochs and events together. */
@Injectable()
export class BatchRepository {
  private readonly registered = new LRUCache<DeviceId, true>({ max: 100_000 });

  constructor(
    private readonly database: Database,
    private readonly windows: WindowsRepository,
    private readonly messages: MessagesRepository,
    private readonly logs: LogRecordsRepository,
    private readonly outbox: Outbox,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** @throws DomainError `service.unavailable` for a PostgreSQL that is away; nothing is half stored then. Any other error is a bug or a poison record. */
  async commit(records: readonly VerifiedRecord[]): Promise<CommittedBatch> {
    const deviceIds = [...new Set(records.map((record) => record.deviceId))].sort();
    await this.register(deviceIds);
    const committed = await inTransaction(this.database, (tx) => this.decideAndStore(tx, records, deviceIds));
    if (committed.decisions.some(({ verdict }) => verdict === 'accepted')) this.outbox.kick();
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
  ): Promise<CommittedBatch> {
    const { devices, receivedAt } = await this.windows.lock(tx, deviceIds);
    if (devices.size < deviceIds.length) {
      this.registered.clear();
      throw new Error('a registered device is gone');
    }
    const epochs = new Map([...devices].map(([id, device]) => [id, device.epoch]));
    const decided = decideBatch(records, devices, receivedAt.getTime());
    const decisions = await this.settleAll(tx, records, await this.knownFromLogs(tx, records, devices, decided));
    const accepted = records.filter((_, index) => decisions[index]!.verdict === 'accepted');
    if (accepted.length === 0) return { decisions, devices };
    await this.messages.insertBatches(tx, accepted);
    await this.messages.insert(tx, accepted);
    await this.windows.saveWindows(tx, devices, movedWindows(accepted, devices));
    const raised = [...devices].filter(([id, device]) => device.epoch !== epochs.get(id)).map(([id]) => id);
    if (raised.length > 0) await this.windows.saveEpochs(tx, devices, raised);
    const events = accepted.map((record) => acceptedEvent(record, receivedAt));
    await tx.query({ name: 'outbox.insert', text: OUTBOX_INSERT, values: outboxParameters(events) });
    return { decisions, devices };
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
      const open = decision.verdict === 'undecided' || (decision.verdict === 'accepted' && decision.filled);
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

function acceptedEvent(record: VerifiedRecord, receivedAt: Date): OutboxMessage {
  const { deviceId, stream, epoch, seq, ts, canonicalSha256, thumbprint } = record;
  const event = {
    deviceId,
    stream,
    epoch,
    seq,
    ts,
    receivedAt: receivedAt.toISOString(),
    payload: record.text(),
    canonicalSha256,
    thumbprint,
  };
  return outboxMessage(messageAccepted, event, deviceId);
}
