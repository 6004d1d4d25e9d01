import { Injectable } from '@nestjs/common';
import type { FindingKind } from '@outrider/contracts';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { currentTrace } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import type { Finding, FindingQuery, StoredFinding } from './finding.js';

interface Row {
  readonly sequence: string;
  readonly finding_id: string;
  readonly kind: FindingKind;
  readonly device_id: DeviceId;
  readonly certain: boolean;
  readonly quarantined: boolean;
  readonly label: string;
  readonly thumbprints: Thumbprint[];
  readonly remote_addresses: string[];
  readonly detail: string;
  readonly at: Date;
}

/** Findings. Append-only: the runtime role cannot change what it once wrote. */
@Injectable()
export class FindingLog {
  constructor(private readonly database: Database) {}

  /** Whether the same was found of the device since `since`. Its row is locked. */
  async isKnown(tx: EntityManager, deviceId: DeviceId, { kind, about }: Finding, since: Date): Promise<boolean> {
    const rows: unknown[] = await tx.query(
      'SELECT 1 FROM findings WHERE device_id = $1 AND kind = $2 AND about = $3 AND at > $4 LIMIT 1',
      [deviceId, kind, about, since],
    );
    return rows.length > 0;
  }

  async add(tx: EntityManager, finding: Omit<StoredFinding, 'sequence'> & Pick<Finding, 'about'>): Promise<void> {
    const f = finding;
    await tx.query(
      `INSERT INTO findings (finding_id, kind, device_id, about, certain, quarantined, label, thumbprints, remote_addresses,
         detail, at, trace_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
      [
        f.findingId,
        f.kind,
        f.deviceId,
        f.about,
        f.certain,
        f.quarantined,
        f.label,
        f.thumbprints,
        f.remoteAddresses,
        f.detail,
        f.at,
        currentTrace()?.traceId ?? null,
      ],
    );
  }

  /** Newest first. */
  async find({ device, kind, certain, after }: FindingQuery, limit: number): Promise<StoredFinding[]> {
    const rows = await this.database.query<Row>(
      `SELECT * FROM findings
       WHERE ($1::text IS NULL OR device_id = $1) AND ($2::text IS NULL OR kind = $2)
         AND ($3::boolean IS NULL OR certain = $3) AND ($4::bigint IS NULL OR sequence < $4)
       ORDER BY sequence DESC LIMIT $5`,
      [device ?? null, kind ?? null, certain ?? null, after ?? null, limit],
    );
    return rows.map((row) => ({
      findingId: row.finding_id,
      sequence: row.sequence,
      kind: row.kind,
      deviceId: row.device_id,
      certain: row.certain,
      quarantined: row.quarantined,
      label: row.label,
      thumbprints: row.thumbprints,
      remoteAddresses: row.remote_addresses,
      detail: row.detail,
      at: row.at,
    }));
  }
}
