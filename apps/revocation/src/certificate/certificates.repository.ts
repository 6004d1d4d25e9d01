import { Injectable } from '@nestjs/common';
import type { CertificateRef, RevocationReason } from '@outrider/contracts';
import type { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import type { EntityManager } from 'typeorm';
import type { KnownCertificate, KnownDevice } from '../revoke/revoke.js';
import type { RevokeTarget } from '../revoke/revoke-request.js';

interface Row {
  readonly thumbprint: Thumbprint;
  readonly issuer_key_id: string;
  readonly serial_number: SerialNumber;
  readonly key_thumbprint: string;
  readonly device_id: DeviceId | null;
  readonly not_before: Date;
  readonly not_after: Date;
  readonly reasons: RevocationReason[] | null;
}

/** A forced revocation may have named a certificate by its serial alone, or by its thumbprint alone. */
const SELECT = `
  SELECT c.*, (
    SELECT array_agg(r.reason ORDER BY r.id) FROM (
      SELECT id, reason FROM revocations WHERE thumbprint = c.thumbprint
      UNION
      SELECT id, reason FROM revocations WHERE issuer_key_id = c.issuer_key_id AND serial_number = c.serial_number
    ) r) AS reasons
  FROM certificates c`;

/** Of a revocation `r` of a device: no approved order has undone it. */
const STANDING = `NOT EXISTS (SELECT 1 FROM device_recoveries c WHERE c.device_id = r.device_id AND c.up_to >= r.revoked_at)`;

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

  /** What a serial number or a thumbprint names; several issuers may have used one serial number. */
  async named(tx: EntityManager, target: RevokeTarget): Promise<KnownCertificate[]> {
    const rows: Row[] = target.thumbprint
      ? await tx.query(`${SELECT} WHERE c.thumbprint = $1`, [target.thumbprint])
      : await tx.query(`${SELECT} WHERE c.serial_number = $1`, [target.serialNumber]);
    return rows.map(known);
  }

  /** Unexpired certificates of the device, and of the same key as the named one, oldest first. */
  async related(
    tx: EntityManager,
    deviceId: DeviceId | undefined,
    keyThumbprint: string | undefined,
    now: Date,
  ): Promise<KnownCertificate[]> {
    const rows: Row[] = await tx.query(
      `${SELECT} WHERE (c.device_id = $1 OR c.key_thumbprint = $2) AND c.not_after > $3 ORDER BY c.not_before, c.thumbprint`,
      [deviceId ?? null, keyThumbprint ?? null, now],
    );
    return rows.map(known);
  }

  async hasDevice(tx: EntityManager, deviceId: DeviceId): Promise<boolean> {
    const rows = await tx.query(
      `SELECT 1 FROM certificates WHERE device_id = $1 UNION ALL SELECT 1 FROM device_revocations WHERE device_id = $1 LIMIT 1`,
      [deviceId],
    );
    return rows.length > 0;
  }

  async device(tx: EntityManager, deviceId: DeviceId): Promise<KnownDevice> {
    const rows: { reason: RevocationReason }[] = await tx.query(
      `SELECT reason FROM device_revocations r WHERE device_id = $1 AND ${STANDING} ORDER BY id`,
      [deviceId],
    );
    return { deviceId, reasons: rows.map(({ reason }) => reason) };
  }

  /**
   * Why a certificate that has only now come to light is out of service from the start: what it descends from, its key or its device
   * is; or its device was when it was made.
   */
  async inheritedReason(
    tx: EntityManager,
    ref: CertificateRef,
    renewedFrom: Thumbprint | undefined,
    madeAt: Date,
  ): Promise<RevocationReason | undefined> {
    const rows: { reason: RevocationReason }[] = await tx.query(
      `SELECT reason FROM device_revocations r WHERE device_id = $1 AND (${STANDING} OR $4 <= (
         SELECT max(recovered_at) FROM device_recoveries c WHERE c.device_id = r.device_id AND c.up_to >= r.revoked_at))
       UNION ALL
       SELECT reason FROM revocations
       WHERE reason = 'keyCompromise' AND (key_thumbprint = $2 OR thumbprint = $3)`,
      [ref.deviceId ?? null, ref.keyThumbprint, renewedFrom ?? null, madeAt],
    );
    return rows.find(({ reason }) => reason === 'keyCompromise')?.reason ?? rows[0]?.reason;
  }
}

function known(row: Row): KnownCertificate {
  const ref: CertificateRef = {
    ...(row.device_id ? { deviceId: row.device_id } : {}),
    issuerKeyId: row.issuer_key_id,
    serialNumber: row.serial_number,
    thumbprint: row.thumbprint,
    keyThumbprint: row.key_thumbprint,
    notBefore: row.not_before.toISOString(),
    notAfter: row.not_after.toISOString(),
  };
  return { ref, reasons: row.reasons ?? [] };
}
