import { Injectable } from '@nestjs/common';
import type { CertificateRef } from '@outrider/contracts';
import type { SerialNumber } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { CrlReason, OcspCertStatus } from '@outrider/x509';
import type { OcspTimes, StandingStatus } from './ocsp.js';

/** A certificate, and the form in which it was asked for. */
export interface AskedCertificate {
  readonly issuerKeyId: string;
  readonly serialNumber: SerialNumber;
  /** DER of the CertID. */
  readonly certId: Uint8Array;
}

export interface StoredResponse extends OcspTimes {
  readonly certificate: OcspCertStatus;
  readonly der: Uint8Array;
}

interface Row extends StandingStatus {
  readonly status: 'good' | 'revoked' | null;
  readonly said_revoked_at: Date | null;
  readonly said_reason: CrlReason | null;
  readonly this_update: Date;
  readonly next_update: Date;
  readonly der: Buffer;
}

/**
 * A certificate that force named by its thumbprint alone stands in no list, but is revoked all the same: by reasons of the same gravity as
 * in the view revoked_certificates, and not by a hold that was released.
 */
const LOOK = `
  SELECT c.thumbprint IS NOT NULL AS known, LEAST(r.revoked_at, f.revoked_at) AS "revokedAt",
    CASE WHEN 'keyCompromise' IN (r.reason, f.reason) THEN 'keyCompromise'
      ELSE COALESCE(NULLIF(r.reason, 'certificateHold'), f.reason, r.reason) END AS reason, o.status, o.revoked_at AS said_revoked_at, o.reason AS said_reason,
    o.this_update, o.next_update, o.der
  FROM (SELECT $1::text AS issuer_key_id, $2::text AS serial_number) q
  LEFT JOIN certificates c ON c.issuer_key_id = $1 AND c.serial_number = $2
  LEFT JOIN LATERAL (
    SELECT revoked_at, reason FROM revoked_certificates
    WHERE issuer_key_id = $1 AND serial_number = $2 ORDER BY revoked_at LIMIT 1) r ON true
  LEFT JOIN LATERAL (
    SELECT min(x.revoked_at) AS revoked_at,
      CASE WHEN bool_or(x.reason = 'keyCompromise') THEN 'keyCompromise'
        ELSE COALESCE((array_agg(x.reason ORDER BY x.id) FILTER (WHERE x.reason <> 'certificateHold'))[1], 'certificateHold')
      END AS reason
    FROM revocations x
    WHERE x.thumbprint = c.thumbprint AND x.serial_number IS NULL AND (
      x.reason <> 'certificateHold' OR NOT EXISTS (SELECT 1 FROM hold_releases h WHERE h.revocation_id = x.id))
    HAVING count(*) > 0) f ON true
  LEFT JOIN ocsp_responses o ON o.issuer_key_id = $1 AND o.serial_number = $2 AND o.cert_id = $3`;

/** What stands of a certificate, and the answers that were signed about it. */
@Injectable()
export class OcspResponses {
  constructor(private readonly database: Database) {}

  /** In one statement, so that both are of one moment. */
  async look(asked: AskedCertificate): Promise<{ standing: StandingStatus; stored: StoredResponse | undefined }> {
    const { issuerKeyId, serialNumber, certId } = asked;
    const rows = await this.database.query<Row>(LOOK, [issuerKeyId, serialNumber, Buffer.from(certId)]);
    const row = rows[0] as Row;
    return { standing: row, stored: storedOf(row) };
  }

  /** Whether its device or its key was ever revoked: then only its own event can say what it is. */
  async isTouched({ deviceId, keyThumbprint }: CertificateRef): Promise<boolean> {
    const rows = await this.database.query(
      `SELECT 1 FROM device_revocations WHERE device_id = $1
       UNION ALL SELECT 1 FROM revocations WHERE key_thumbprint = $2
       UNION ALL SELECT 1 FROM key_revocations WHERE key_thumbprint = $2 LIMIT 1`,
      [deviceId ?? null, keyThumbprint],
    );
    return rows.length > 0;
  }

  /** The latest stands: what it says is held against the truth whenever it is read. */
  async save(asked: AskedCertificate, response: StoredResponse): Promise<void> {
    const { certificate } = response;
    const revoked = certificate.status === 'revoked' ? certificate : undefined;
    await this.database.query(
      `INSERT INTO ocsp_responses (issuer_key_id, serial_number, cert_id, status, revoked_at, reason, this_update, next_update, der)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
       ON CONFLICT (issuer_key_id, serial_number, cert_id) DO UPDATE SET status = EXCLUDED.status,
         revoked_at = EXCLUDED.revoked_at, reason = EXCLUDED.reason, this_update = EXCLUDED.this_update,
         next_update = EXCLUDED.next_update, der = EXCLUDED.der`,
      [
        asked.issuerKeyId,
        asked.serialNumber,
        Buffer.from(asked.certId),
        certificate.status,
        revoked?.revokedAt ?? null,
        revoked?.reason ?? null,
        response.thisUpdate,
        response.nextUpdate,
        Buffer.from(response.der),
      ],
    );
  }

  /** At most `limit` of those that ended before `before`. */
  async purge(before: Date, limit: number): Promise<void> {
    await this.database.query(
      `DELETE FROM ocsp_responses WHERE ctid IN (
         SELECT ctid FROM ocsp_responses WHERE next_update < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`,
      [before, limit],
    );
  }
}

function storedOf(row: Row): StoredResponse | undefined {
  if (row.status === null) return undefined;
  const { said_revoked_at: revokedAt, said_reason: reason } = row;
  const certificate: OcspCertStatus =
    row.status === 'revoked' && revokedAt !== null
      ? { status: 'revoked', revokedAt, reason: reason ?? undefined }
      : { status: 'good' };
  return { certificate, thisUpdate: row.this_update, nextUpdate: row.next_update, der: row.der };
}
