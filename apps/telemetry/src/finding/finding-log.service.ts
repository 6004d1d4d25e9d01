import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { telemetryFindingRaised } from '@outrider/contracts';
import type { DeviceId } from '@outrider/ids';
import { Database, Outbox } from '@outrider/platform/postgres';
import { LOGGER, type Logger } from '@outrider/platform/service';
import { LRUCache } from 'lru-cache';
import type { Finding, FindingKind } from './finding.js';

/** The same kind of one device is the same finding for so long; what repeats it is counted in the metrics and the decision log. */
const SAME_MS = 600_000;
const REMEMBERED = 50_000;
const PAGE = 100;

/** As kept; `found_at` by PostgreSQL's clock. */
export interface KeptFinding {
  readonly finding_id: string;
  readonly kind: FindingKind;
  readonly stream: string;
  readonly epoch: number;
  readonly seq: number;
  readonly detail: string;
  readonly found_at: Date;
}

/** Keeps findings and tells them to whoever watches the fleet, with one voice: row and event in one transaction. */
@Injectable()
export class FindingLog {
  private readonly recent = new LRUCache<string, true>({ max: REMEMBERED, ttl: SAME_MS });

  constructor(
    private readonly database: Database,
    private readonly outbox: Outbox,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Does not hold up the answer: what it tells of is committed, or refused, already. */
  raise(deviceId: DeviceId, findings: readonly Finding[]): void {
    const fresh = findings.filter(({ kind }) => !this.recent.has(`${deviceId} ${kind}`));
    if (fresh.length === 0) return;
    for (const { kind } of fresh) this.recent.set(`${deviceId} ${kind}`, true);
    this.keep(deviceId, fresh).catch((error: unknown) => {
      for (const { kind } of fresh) this.recent.delete(`${deviceId} ${kind}`);
      this.logger.warn({ err: error, deviceId }, 'a finding was not kept');
    });
  }

  /** Newest first. */
  async list(deviceId: DeviceId) {
    const items = await this.database.query<KeptFinding>(
      `SELECT finding_id, kind, stream, epoch, seq::float8 AS seq, detail, found_at FROM findings
       WHERE device_id = $1 ORDER BY found_at DESC, finding_id LIMIT ${PAGE}`,
      [deviceId],
    );
    return { items, next: null };
  }

  private keep(deviceId: DeviceId, findings: readonly Finding[]): Promise<void> {
    const raisedAt = new Date().toISOString();
    return this.database.transaction(async (tx) => {
      for (const finding of findings) {
        const findingId = randomUUID();
        const { kind, stream, epoch, seq, detail } = finding;
        await tx.query(
          `INSERT INTO findings (device_id, finding_id, kind, stream, epoch, seq, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
          [deviceId, findingId, kind, stream, epoch, seq, detail],
        );
        await this.outbox.add(tx, telemetryFindingRaised, { findingId, deviceId, ...finding, raisedAt }, deviceId);
        this.logger.warn({ deviceId, findingId, kind, stream, epoch, seq }, detail);
      }
    });
  }
}
