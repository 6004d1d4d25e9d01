import { Injectable } from '@nestjs/common';
import type { CertificateRef, RevocationReason } from '@outrider/contracts';
import type { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import type { EntityManager } from 'typeorm';
import type { KnownCertificate, KnownDevice, KnownKey } from '../revoke/revoke.js';

interface Row {
  readonly thumbprint: Thumbprint;
  readonly issuer_key_id: string;
  readonly serial_number: SerialNumber;
  readonly key_thumbprint: string;
  readonly device_id: DeviceId | null;
  readonly not_before: Date;
  readonly not_after: Date;
  readonly reasons: RevocationReason[] | null;
  readonly held: string[] | null;
}

/** `held`: ids of the holds among the rows that its reasons are of. */
export interface HeldCertificate extends KnownCertificate {
  readonly held: readonly string[];
}

/** A forced revocation may have named a certificate by its serial alone, or by its thumbprint alone. Holds that were released do not stand. */
const SELECT = `
  SELECT c.*, s.reasons, s.held
  FROM certificates c CROSS JOIN LATERAL (
    SELECT array_agg(r.reason ORDER BY r.id) AS reasons,
      array_agg(r.id::text ORDER BY r.id) FILTER (WHERE r.reason = 'certificateHold') AS held
    FROM (
      SELECT id, reason FROM revocations WHERE thumbprint = c.thumbprint
      UNION
      SELECT id, reason FROM revocations WHERE issuer_key_id = c.issuer_key_id AND serial_number = c.serial_number
    ) r
    WHERE r.reason <> 'certificateHold' OR NOT EXISTS (SELECT 1 FROM hold_releases h WHERE h.revocation_id = r.id)) s`;

/** Of a revocation `r` of a device: no approved order has undone it, and no release. */
const STANDING = `NOT EXISTS (SELECT 1 FROM device_recoveries c WHERE c.device_id = r.device_id AND c.up_to >= r.revoked_at)
  AND NOT EXISTS (SELECT 1 FROM hold_releases h WHERE h.device_revocation_id = r.id)`;

/** The projection of the certificates that fleet-ca issued and provisioning handed out. */
@Injectable()
export class Certificates {
  /** @returns whether it was not known before. `renewedFrom` is added where it was. */
  async record(tx: EntityManager, ref: CertificateRef, renewedFrom?: Thumbprint): Promise<boolean> {
    const [row]: { inserted: boolean }[] = await tx.query(
      `INSERT INTO certificates AS c
         (thumbprint, issuer_key_id, serial_number, key_thumbprint, device_id, not_before, not_after, renewed_from)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
       ON CONFLICT (thumbprint) DO UPDATE SET renewed_from = COALESCE(c.renewed_from, EXCLUDED.renewed_from)
       RETURNING xmax = 0 AS inserted`,
      [
        ref.thumbprint,
        ref.issuerKeyId,
        ref.serialNumber,
        ref.keyThumbprint,
        ref.deviceId ?? null,
        ref.notBefore,
        ref.notAfter,
        renewedFrom ?? null,
      ],
    );
    return row?.inserted ?? false;
  }

  /** What serial numbers and thumbprints name; several issuers may have used one serial number. */
  async named(
    tx: EntityManager,
    { thumbprints = [], serials = [] }: { thumbprints?: readonly Thumbprint[]; serials?: readonly SerialNumber[] },
  ): Promise<HeldCertificate[]> {
    const rows: Row[] = [];
    if (thumbprints.length > 0) rows.push(...(await tx.query(`${SELECT} WHERE c.thumbprint = ANY($1)`, [thumbprints])));
    if (serials.length > 0) rows.push(...(await tx.query(`${SELECT} WHERE c.serial_number = ANY($1)`, [serials])));
    return [...new Map(rows.map((row) => [row.thumbprint, row])).values()].map(known);
  }

  /** Unexpired certificates of the devices, and of the keys, oldest first. `limit`: stop there. */
  async related(
    tx: EntityManager,
    deviceIds: readonly DeviceId[],
    keyThumbprints: readonly string[],
    now: Date,
    limit?: number,
  ): Promise<HeldCertificate[]> {
    if (deviceIds.length + keyThumbprints.length === 0) return [];
    const rows: Row[] = await tx.query(
      `${SELECT} WHERE c.thumbprint IN (
         SELECT thumbprint FROM certificates WHERE device_id = ANY($1) AND not_after > $3
         UNION SELECT thumbprint FROM certificates WHERE key_thumbprint = ANY($2) AND not_after > $3)
       ORDER BY c.not_before, c.thumbprint LIMIT $4`,
      [deviceIds, keyThumbprints, now, limit ?? null],
    );
    return rows.map(known);
  }

  /** Unexpired certificates of services that were renewed from these, or from any, expired ones too, with these keys; they themselves are not. */
  async descendants(
    tx: EntityManager,
    thumbprints: readonly Thumbprint[],
    keyThumbprints: readonly string[],
    now: Date,
  ): Promise<HeldCertificate[]> {
    const rows: Row[] = await tx.query(
      `WITH RECURSIVE roots AS (
         SELECT thumbprint FROM unnest($1::text[]) AS named (thumbprint)
         UNION SELECT thumbprint FROM certificates WHERE key_thumbprint = ANY($2) AND device_id IS NULL),
       line AS (
         SELECT thumbprint FROM roots
         UNION
         SELECT c.thumbprint FROM line JOIN certificates c ON c.renewed_from = line.thumbprint WHERE c.device_id IS NULL)
       ${SELECT} WHERE c.thumbprint IN (SELECT thumbprint FROM line EXCEPT SELECT thumbprint FROM roots) AND c.not_after > $3
       ORDER BY c.not_before, c.thumbprint`,
      [thumbprints, keyThumbprints, now],
    );
    return rows.map(known);
  }

  /** At most `limit` devices with an unexpired certificate for one of the keys, or for a key of one of the devices. */
  async devicesWithKeys(
    tx: EntityManager,
    deviceIds: readonly DeviceId[],
    keyThumbprints: readonly string[],
    now: Date,
    limit: number,
  ): Promise<DeviceId[]> {
    if (deviceIds.length + keyThumbprints.length === 0) return [];
    const rows: { device_id: DeviceId }[] = await tx.query(
      `SELECT DISTINCT device_id FROM certificates
       WHERE not_after > $3 AND device_id IS NOT NULL AND key_thumbprint = ANY(ARRAY(
         SELECT unnest($2::text[]) UNION SELECT key_thumbprint FROM certificates WHERE device_id = ANY($1) AND not_after > $3))
       LIMIT $4`,
      [deviceIds, keyThumbprints, now, limit],
    );
    return rows.map(({ device_id }) => device_id);
  }

  async hasDevice(tx: EntityManager, deviceId: DeviceId): Promise<boolean> {
    const rows = await tx.query(
      `SELECT 1 FROM certificates WHERE device_id = $1 UNION ALL SELECT 1 FROM device_revocations WHERE device_id = $1 LIMIT 1`,
      [deviceId],
    );
    return rows.length > 0;
  }

  async hasKey(tx: EntityManager, keyThumbprint: string): Promise<boolean> {
    const rows = await tx.query(
      `SELECT 1 FROM certificates WHERE key_thumbprint = $1 UNION ALL SELECT 1 FROM key_revocations WHERE key_thumbprint = $1 LIMIT 1`,
      [keyThumbprint],
    );
    return rows.length > 0;
  }

  async device(tx: EntityManager, deviceId: DeviceId): Promise<KnownDevice & Standing> {
    return { deviceId, ...((await this.devices(tx, [deviceId])).get(deviceId) ?? NOTHING) };
  }

  async key(tx: EntityManager, keyThumbprint: string): Promise<KnownKey & Standing> {
    return { keyThumbprint, ...((await this.keys(tx, [keyThumbprint])).get(keyThumbprint) ?? NOTHING) };
  }

  /** Of each: every reason that stands, and which of them are holds. Those without any are told too. */
  devices(tx: EntityManager, deviceIds: readonly DeviceId[]): Promise<Map<DeviceId, Standing>> {
    return standing(
      tx,
      `SELECT id, device_id AS name, reason FROM device_revocations r WHERE device_id = ANY($1) AND ${STANDING}`,
      deviceIds,
    );
  }

  /** The same of keys that were named themselves. */
  keys(tx: EntityManager, keyThumbprints: readonly string[]): Promise<Map<string, Standing>> {
    return standing(
      tx,
      `SELECT id, key_thumbprint AS name, reason FROM key_revocations r WHERE key_thumbprint = ANY($1)
         AND NOT EXISTS (SELECT 1 FROM hold_releases h WHERE h.key_revocation_id = r.id)`,
      keyThumbprints,
    );
  }

  /**
   * Why a certificate that has only now come to light is out of service from the start: what it descends from, its key, its device or its
   * issuer is; or its device was when it was made. Of a service's: what it, or anything that it descends from, was revoked for.
   */
  async inheritedReasons(
    tx: EntityManager,
    ref: CertificateRef,
    renewedFrom: Thumbprint | undefined,
    madeAt: Date,
  ): Promise<RevocationReason[]> {
    const rows: { reason: RevocationReason }[] = await tx.query(
      `SELECT reason FROM device_revocations r WHERE device_id = $1 AND (${STANDING}
         OR (reason <> 'certificateHold' AND $4 <= (
           SELECT max(recovered_at) FROM device_recoveries c WHERE c.device_id = r.device_id AND c.up_to >= r.revoked_at)))
       UNION ALL
       SELECT reason FROM revocations
       WHERE reason = 'keyCompromise' AND (key_thumbprint = $2 OR thumbprint = $3)
       UNION ALL
       SELECT reason FROM key_revocations k WHERE key_thumbprint = $2
         AND NOT EXISTS (SELECT 1 FROM hold_releases h WHERE h.key_revocation_id = k.id)
       UNION ALL
       SELECT reason FROM jobs WHERE target ? 'issuer' AND target ->> 'issuer' = $5 AND action = 'revoke' AND NOT dry_run
         AND reason <> 'certificateHold' AND state IN ('resolving', 'running', 'done')`,
      [ref.deviceId ?? null, ref.keyThumbprint, renewedFrom ?? null, madeAt, ref.issuerKeyId],
    );
    const own = rows.map(({ reason }) => reason);
    return ref.deviceId ? own : [...own, ...(await this.lineReasons(tx, ref.thumbprint))];
  }

  /** Why a service's certificate, or any that it descends from, stands revoked; holds aside. */
  private async lineReasons(tx: EntityManager, thumbprint: Thumbprint): Promise<RevocationReason[]> {
    const rows: { reason: RevocationReason }[] = await tx.query(
      `WITH RECURSIVE line AS (
         SELECT thumbprint, issuer_key_id, serial_number, key_thumbprint, renewed_from
         FROM certificates WHERE thumbprint = $1
         UNION
         SELECT line.renewed_from, c.issuer_key_id, c.serial_number, c.key_thumbprint, c.renewed_from
         FROM line LEFT JOIN certificates c ON c.thumbprint = line.renewed_from WHERE line.renewed_from IS NOT NULL)
       SELECT reason FROM line JOIN revocations r USING (thumbprint) WHERE reason <> 'certificateHold'
       UNION ALL
       SELECT reason FROM line JOIN revocations r USING (issuer_key_id, serial_number) WHERE reason <> 'certificateHold'
       UNION ALL
       SELECT reason FROM line JOIN revocations r USING (key_thumbprint) WHERE reason = 'keyCompromise'
       UNION ALL
       SELECT reason FROM line JOIN key_revocations k USING (key_thumbprint) WHERE reason <> 'certificateHold'`,
      [thumbprint],
    );
    return rows.map(({ reason }) => reason);
  }
}

export interface Standing {
  readonly reasons: readonly RevocationReason[];
  readonly held: readonly string[];
}

const NOTHING: Standing = { reasons: [], held: [] };

async function standing<N extends string>(
  tx: EntityManager,
  sql: string,
  names: readonly N[],
): Promise<Map<N, Standing>> {
  const rows: { id: string; name: N; reason: RevocationReason }[] =
    names.length === 0 ? [] : await tx.query(`${sql} ORDER BY id`, [names]);
  const byName = Map.groupBy(rows, ({ name }) => name);
  return new Map(
    names.map((name) => {
      const own = byName.get(name) ?? [];
      const held = own.filter(({ reason }) => reason === 'certificateHold').map(({ id }) => id);
      return [name, { reasons: own.map(({ reason }) => reason), held }];
    }),
  );
}

function known(row: Row): HeldCertificate {
  const ref: CertificateRef = {
    ...(row.device_id ? { deviceId: row.device_id } : {}),
    issuerKeyId: row.issuer_key_id,
    serialNumber: row.serial_number,
    thumbprint: row.thumbprint,
    keyThumbprint: row.key_thumbprint,
    notBefore: row.not_before.toISOString(),
    notAfter: row.not_after.toISOString(),
  };
  return { ref, reasons: row.reasons ?? [], held: row.held ?? [] };
}
