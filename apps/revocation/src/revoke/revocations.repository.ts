import { Injectable } from '@nestjs/common';
import type { CertificateRef, RevocationReason } from '@outrider/contracts';
import type { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import type { EntityManager } from 'typeorm';

/** When, by whom and why: the same for all rows of one revocation. */
export interface RevocationAct {
  readonly reason: RevocationReason;
  readonly revokedAt: Date;
  readonly revokedBy: string;
  readonly traceId: string | undefined;
}

/** A certificate to revoke: known, or named by force. */
export type RevokedCertificate = Partial<CertificateRef> & { readonly crlShard: number | undefined };

/** What was revoked. Append-only: nothing here is ever changed or taken back. */
@Injectable()
export class Revocations {
  async add(tx: EntityManager, certificates: readonly RevokedCertificate[], act: RevocationAct): Promise<void> {
    for (const certificate of certificates) {
      await tx.query(
        `INSERT INTO revocations (thumbprint, issuer_key_id, serial_number, key_thumbprint, device_id, not_after,
           crl_shard, reason, revoked_at, revoked_by, trace_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
        [
          certificate.thumbprint ?? null,
          certificate.issuerKeyId ?? null,
          certificate.serialNumber ?? null,
          certificate.keyThumbprint ?? null,
          certificate.deviceId ?? null,
          certificate.notAfter ?? null,
          certificate.crlShard ?? null,
          act.reason,
          act.revokedAt,
          act.revokedBy,
          act.traceId ?? null,
        ],
      );
    }
  }

  async addDevice(tx: EntityManager, deviceId: DeviceId, act: RevocationAct): Promise<void> {
    await tx.query(
      'INSERT INTO device_revocations (device_id, reason, revoked_at, revoked_by, trace_id) VALUES ($1, $2, $3, $4, $5)',
      [deviceId, act.reason, act.revokedAt, act.revokedBy, act.traceId ?? null],
    );
  }

  /** Whether a certificate that nobody knows was already revoked by force, for this reason or a graver one. */
  async isForced(
    tx: EntityManager,
    by: { issuerKeyId?: string; serialNumber?: SerialNumber | undefined; thumbprint?: Thumbprint | undefined },
    reason: RevocationReason,
  ): Promise<boolean> {
    const rows = await tx.query(
      `SELECT 1 FROM revocations
       WHERE (CASE WHEN $3::text IS NULL THEN thumbprint = $1 ELSE issuer_key_id = $2 AND serial_number = $3 END) AND ($4 <> 'keyCompromise' OR reason = $4) LIMIT 1`,
      [by.thumbprint ?? null, by.issuerKeyId ?? null, by.serialNumber ?? null, reason],
    );
    return rows.length > 0;
  }
}
