import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { CONFIG, LOGGER, Metrics, Sharers } from '@outrider/platform/service';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import type { VerifiedRecord } from '../ingest/verified-record.js';
import type { Decision, DeviceState } from '../window/decide-batch.js';
import { BatchRepository } from './batch.repository.js';
import { BatchQueue, type QueuedRequest } from './batch-queue.js';

/** Bytes of bodies that wait; with the batches in flight, what ingest holds at most. */
const MAX_QUEUED_BYTES = 64 * 1_048_576;
/** While one batch waits for the disk the next one is decided; more would only wait for the same device locks. */
const COMMITS_IN_FLIGHT = 2;
const RETRY_AFTER_SECONDS = 1;

/** A record that PostgreSQL refused though its neighbours passed: a bug of ours, said as `service.internal`. */
export interface Failed {
  readonly verdict: 'failed';
}

/** `device`: as committed, windows included; undefined when no record was decided. */
export interface CommittedRequest {
  readonly decisions: readonly (Decision | Failed)[];
  readonly device: DeviceState | undefined;
  /** Start of the transaction, by PostgreSQL's clock; of the last one where there were several. */
  readonly receivedAt: Date | undefined;
}

interface Pending extends QueuedRequest {
  readonly deviceId: DeviceId;
  readonly verified: readonly VerifiedRecord[];
  readonly resolve: (committed: CommittedRequest) => void;
  readonly reject: (error: unknown) => void;
}

interface Outcome {
  readonly decisions: readonly (Decision | Failed | DomainError)[];
  readonly devices: ReadonlyMap<DeviceId, DeviceState>;
  readonly receivedAt?: Date | undefined;
}

/**
 * Many requests share one commit (docs/decisions/0003-group-commit.md). A request that meets an idle service is committed with those of its turn; what
 * arrives while commits are in flight gathers into the next one. Verdicts are given after the commit, never before.
 */
@Injectable()
export class GroupCommit implements OnApplicationShutdown {
  private readonly queue: BatchQueue<Pending>;
  /** With the time when each began. */
  private readonly inFlight = new Map<Promise<void>, number>();
  private readonly sharers = new Sharers<Pending>('telemetry.commit');
  private pumping = false;
  private readonly batchRecords;

  constructor(
    private readonly batches: BatchRepository,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.queue = new BatchQueue({
      maxRecords: config.maxQueuedRecords,
      maxBytes: MAX_QUEUED_BYTES,
      maxDeviceRecords: config.maxQueuedRecordsPerDevice,
    });
    this.batchRecords = metrics.histogram(
      'outrider_telemetry_batch_records',
      'Records sharing one commit.',
      [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
    );
    const waiting = metrics.gauge('outrider_telemetry_queued_records', 'Records waiting for a commit.');
    Object.assign(waiting, { collect: () => waiting.set(this.queue.size) });
  }

  async onApplicationShutdown(): Promise<void> {
    while (this.inFlight.size > 0) await Promise.all(this.inFlight.keys());
  }

  /**
   * Commits the records of one request, all of one device.
   * @throws DomainError `service.overloaded` when the queue is full or the database lags, `request.too_many` when this device's share of it
   * is; `service.unavailable` when PostgreSQL is away: sending again is
   * safe, what was stored is then a `duplicate`.
   */
  submit(deviceId: DeviceId, verified: readonly VerifiedRecord[]): Promise<CommittedRequest> {
    if (verified.length === 0) return Promise.resolve({ decisions: [], device: undefined, receivedAt: undefined });
    const bytes = verified.reduce((sum, record) => sum + record.payload.length, 0);
    return new Promise((resolve, reject) => {
      const request = { deviceId, verified, records: verified.length, bytes, resolve, reject };
      const admission = this.lags() ? 'lag' : this.queue.add(this.sharers.note(request));
      if (admission === 'taken') this.pumpSoon();
      else reject(refusal(admission));
    });
  }

  /** After whatever else came in this turn of the event loop: else the first of a crowd is a commit of its own, and so is the second. */
  private pumpSoon(): void {
    if (this.pumping) return;
    this.pumping = true;
    setImmediate(() => {
      this.pumping = false;
      this.pump();
    });
  }

  private pump(): void {
    while (this.inFlight.size < COMMITS_IN_FLIGHT) {
      const batch = this.queue.take();
      if (batch.length === 0) return;
      const work = this.run(batch).finally(() => {
        this.inFlight.delete(work);
        this.queue.done(batch);
        this.pumpSoon();
      });
      this.inFlight.set(work, performance.now());
    }
  }

  /** One slow commit may be one device's row; all of them are the database. */
  private lags(): boolean {
    if (this.inFlight.size < COMMITS_IN_FLIGHT) return false;
    return performance.now() - Math.max(...this.inFlight.values()) > this.config.commitLagMs;
  }

  private async run(batch: readonly Pending[]): Promise<void> {
    const records = batch.flatMap(({ verified }) => verified);
    this.batchRecords.observe(records.length);
    const { decisions, devices, receivedAt } = await this.sharers.run(batch, () => this.commitTwice(records));
    let at = 0;
    for (const pending of batch) {
      const own = decisions.slice(at, at + pending.records);
      at += pending.records;
      const away = own.find((decision) => decision instanceof DomainError);
      if (away) pending.reject(away);
      else
        pending.resolve({ decisions: own as (Decision | Failed)[], device: devices.get(pending.deviceId), receivedAt });
    }
  }

  /** A deadlock or a device row gone since it was registered passes the second time. */
  private async commitTwice(records: readonly VerifiedRecord[]): Promise<Outcome> {
    try {
      return await this.batches.commit(records);
    } catch (error) {
      if (error instanceof DomainError) return this.failed(records, error);
      this.logger.warn({ err: error, records: records.length }, 'a batch is tried again');
      return this.commitApart(records);
    }
  }

  /** Halves the batch until the record that PostgreSQL refuses stands alone: it must not fail its neighbours. */
  private async commitApart(records: readonly VerifiedRecord[]): Promise<Outcome> {
    try {
      return await this.batches.commit(records);
    } catch (error) {
      if (error instanceof DomainError) return this.failed(records, error);
      if (records.length === 1) {
        const { deviceId, stream, seq } = records[0]!;
        this.logger.error({ err: error, deviceId, stream, seq }, 'a record could not be stored');
        return { decisions: [{ verdict: 'failed' }], devices: new Map() };
      }
    }
    const middle = records.length >> 1;
    const left = await this.commitApart(records.slice(0, middle));
    const right = await this.commitApart(records.slice(middle));
    return {
      decisions: [...left.decisions, ...right.decisions],
      devices: new Map([...left.devices, ...right.devices]),
      receivedAt: right.receivedAt ?? left.receivedAt,
    };
  }

  private failed(records: readonly VerifiedRecord[], error: DomainError): Outcome {
    this.logger.warn({ code: error.code, err: error.cause, records: records.length }, 'a batch was not stored');
    const retryable = new DomainError(error.code, {
      cause: error,
      ...(error.detail ? { detail: error.detail } : {}),
      retryAfterSeconds: error.retryAfterSeconds ?? RETRY_AFTER_SECONDS,
    });
    return { decisions: records.map(() => retryable), devices: new Map() };
  }
}

function refusal(reason: 'full' | 'device_full' | 'lag'): DomainError {
  const retryAfterSeconds = RETRY_AFTER_SECONDS;
  if (reason === 'device_full')
    return new DomainError('request.too_many', { detail: 'this device has enough waiting', retryAfterSeconds });
  const detail = reason === 'lag' ? 'the database lags' : 'too much waits to be stored';
  return new DomainError('service.overloaded', { detail, retryAfterSeconds });
}
