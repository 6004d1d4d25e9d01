import { Injectable } from '@nestjs/common';
import { serialValue } from '@outrider/admission';
import type { RevocationReason } from '@outrider/contracts';
import type { EntityManager } from 'typeorm';
import type { EntryName } from '../denylist/claim.js';
import type { RevocationAct } from '../revoke/revocations.repository.js';
import type { RevokeTarget } from '../revoke/revoke-request.js';
import type { ForcedHold, Release } from './release.js';

interface ForcedRow {
  readonly id: string;
  readonly issuer_key_id: string | null;
  readonly serial_number: string | null;
  readonly thumbprint: string | null;
  readonly reason: RevocationReason;
}

/** Releases (append-only), and what force put on hold. */
@Injectable()
export class Releases {
  /** One row for each hold that ends, in one statement. */
  async add(
    tx: EntityManager,
    releases: readonly Release[],
    note: string | undefined,
    act: RevocationAct,
  ): Promise<void> {
    const rows = releases.flatMap(({ certificates, forced, device, key }) => [
      ...certificates.flatMap(({ ref, held }) =>
        held.map((id) => ({
          revocation_id: id,
          issuer_key_id: ref.issuerKeyId,
          serial_number: ref.serialNumber,
          thumbprint: ref.thumbprint,
          device_id: ref.deviceId,
        })),
      ),
      ...(forced?.held ?? []).map((id) => ({ revocation_id: id })),
      ...(device?.held ?? []).map((id) => ({ device_revocation_id: id, device_id: device?.deviceId })),
      ...(key?.held ?? []).map((id) => ({ key_revocation_id: id, key_thumbprint: key?.keyThumbprint })),
    ]);
    await tx.query(
      `INSERT INTO hold_releases (revocation_id, device_revocation_id, key_revocation_id, issuer_key_id, serial_number,
         thumbprint, device_id, key_thumbprint, released_at, released_by, note, trace_id)
       SELECT r.*, $2, $3, $4, $5 FROM jsonb_to_recordset($1::jsonb) AS r (revocation_id bigint, device_revocation_id bigint,
         key_revocation_id bigint, issuer_key_id text, serial_number text, thumbprint text, device_id text, key_thumbprint text)`,
      [JSON.stringify(rows), act.revokedAt, act.revokedBy, note ?? null, act.traceId ?? null],
    );
  }

  /** What stands by force of a certificate that nobody knows. */
  async forced(tx: EntityManager, { serialNumber, thumbprint }: RevokeTarget): Promise<ForcedHold | undefined> {
    const rows: ForcedRow[] = await tx.query(
      `SELECT id, issuer_key_id, serial_number, thumbprint, reason FROM revocations r
       WHERE ($1::text IS NULL OR serial_number = $1) AND ($2::text IS NULL OR thumbprint = $2)
         AND NOT EXISTS (SELECT 1 FROM hold_releases h WHERE h.revocation_id = r.id) ORDER BY id`,
      [serialNumber ?? null, thumbprint ?? null],
    );
    if (rows.length === 0) return undefined;
    const names = rows.flatMap((row): EntryName[] => [
      ...(row.thumbprint ? [{ kind: 'certificate' as const, value: row.thumbprint }] : []),
      ...(row.issuer_key_id && row.serial_number
        ? [{ kind: 'serial' as const, value: serialValue(row.issuer_key_id, row.serial_number) }]
        : []),
    ]);
    return { names, reasons: rows.map(({ reason }) => reason), held: rows.map(({ id }) => id) };
  }

  /** What still denies these names, and why. */
  denied(tx: EntityManager, names: readonly EntryName[]): Promise<(EntryName & { reason: string })[]> {
    return tx.query(
      `SELECT kind, value, reason FROM denylist_entries WHERE NOT removed
         AND (kind, value) IN (SELECT * FROM unnest($1::text[], $2::text[])) ORDER BY kind, value`,
      [names.map(({ kind }) => kind), names.map(({ value }) => value)],
    );
  }
}
