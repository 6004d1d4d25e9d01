import { Injectable } from '@nestjs/common';
import type { CertificateRef, RevocationReason } from '@outrider/contracts';
import type { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import type { EntityManager } from 'typeorm';

/** When and by whom: the same for all rows of one revocation. */
export interface RevocationAct {
  readonly revokedAt: Date;
  readonly revokedBy: string;
  readonly traceId: string | undefined;
}

/** A certificate to revoke: known, or named by force. */
export type RevokedCertificate = Partial<CertificateRef> & {
  readonly crlShard: number | undefined;
  readonly reason: RevocationReason;
};

/** What was revoked. Append-only: nothing here is ever changed or taken back. */
@Injectable()
export class Revocations {
  /** One statement, however many. */
  async add(tx: EntityManager, certificates: readonly RevokedCertificate[], act: RevocationAct): Promise<void> {
    if (certificates.length === 0) return;
    const rows = certificates.map((one) => ({
      thumbprint: one.thumbprint,
      issuer_key_id: one.issuerKeyId,
      serial_number: one.serialNumber,
      key_thumbprint: one.keyThumbprint,
      device_id: one.deviceId,
      not_after: one.notAfter,
      crl_shard: one.crlShard,
      reason: one.reason,
    }));
    await tx.query(
      `INSERT INTO revocations (thumbprint, issuer_key_id, serial_number, key_thumbprint, device_id, not_after,
         crl_shard, reason, revoked_at, revoked_by, trace_id)
       SELECT r.*, $2, $3, $4 FROM jsonb_to_recordset($1::jsonb) AS r (thumbprint text, issuer_key_id text,
         serial_number text, key_thumbprint text, device_id text, not_after timestamptz, crl_shard integer, reason text)`,
      [JSON.stringify(rows), act.revokedAt, act.revokedBy, act.traceId ?? null],
    );
  }

  async addDevices(
    tx: EntityManager,
    devices: readonly { readonly value: DeviceId; readonly reason: RevocationReason }[],
    act: RevocationAct,
  ): Promise<void> {
    await this.addNamed(tx, 'device_revocations (device_id', devices, act);
  }

  async addKeys(
    tx: EntityManager,
    keys: readonly { readonly value: string; readonly reason: RevocationReason }[],
    act: RevocationAct,
  ): Promise<void> {
    await this.addNamed(tx, 'key_revocations (key_thumbprint', keys, act);
  }

  private async addNamed(
    tx: EntityManager,
    into: 'device_revocations (device_id' | 'key_revocations (key_thumbprint',
    named: readonly { readonly value: string; readonly reason: RevocationReason }[],
    act: RevocationAct,
  ): Promise<void> {
    if (named.length === 0) return;
    await tx.query(
      `INSERT INTO ${into}, reason, revoked_at, revoked_by, trace_id)
       SELECT n.*, $3, $4, $5 FROM unnest($1::text[], $2::text[]) AS n`,
      [
        named.map(({ value }) => value),
        named.map(({ reason }) => reason),
        act.revokedAt,
        act.revokedBy,
        act.traceId ?? null,
      ],
    );
  }

  /** The reasons that a certificate that nobody knows stands revoked for, by force. */
  async forcedReasons(
    tx: EntityManager,
    by: { issuerKeyId?: string; serialNumber?: SerialNumber | undefined; thumbprint?: Thumbprint | undefined },
  ): Promise<RevocationReason[]> {
    const rows: { reason: RevocationReason }[] = await tx.query(
      `SELECT reason FROM revocations r
       WHERE (CASE WHEN $3::text IS NULL THEN thumbprint = $1 ELSE issuer_key_id = $2 AND serial_number = $3 END)
         AND NOT EXISTS (SELECT 1 FROM hold_releases h WHERE h.revocation_id = r.id) ORDER BY id`,
      [by.thumbprint ?? null, by.issuerKeyId ?? null, by.serialNumber ?? null],
    );
    return rows.map(({ reason }) => reason);
  }
}
