import { Injectable } from '@nestjs/common';
import type { SerialNumber, Service, Thumbprint } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import { fromRow, type IssuedCertificate, type IssuedRow } from './issued-certificate.js';

const COLUMNS = 'certificate, issuer_key_id, profile, device_id, requested_by, request_id, request_sha256, issued_at';

@Injectable()
export class IssuedCertificates {
  constructor(private readonly database: Database) {}

  /** One at a time for each request id: a retry that overtakes its original waits for it, and then finds its certificate. */
  async lockRequest(
    tx: EntityManager,
    requestedBy: Service,
    requestId: string,
  ): Promise<IssuedCertificate | undefined> {
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`${requestedBy}/${requestId}`]);
    const found: IssuedRow[] = await tx.query(
      `SELECT ${COLUMNS} FROM issued_certificates WHERE requested_by = $1 AND request_id = $2`,
      [requestedBy, requestId],
    );
    return found[0] && fromRow(found[0]);
  }

  async add(tx: EntityManager, issued: IssuedCertificate): Promise<void> {
    const { certificate } = issued;
    await tx.query(
      `INSERT INTO issued_certificates (thumbprint, serial_number, key_thumbprint, not_before, not_after, ${COLUMNS})
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
      [
        certificate.thumbprint,
        certificate.serialNumber,
        certificate.keyThumbprint,
        certificate.notBefore,
        certificate.notAfter,
        Buffer.from(certificate.der),
        issued.issuerKeyId,
        issued.profile,
        issued.deviceId ?? null,
        issued.requestedBy,
        issued.requestId,
        issued.requestSha256,
        issued.issuedAt,
      ],
    );
  }

  async find(by: { serialNumber: SerialNumber } | { thumbprint: Thumbprint }): Promise<IssuedCertificate | undefined> {
    const [column, value] = 'thumbprint' in by ? ['thumbprint', by.thumbprint] : ['serial_number', by.serialNumber];
    const rows = await this.database.query<IssuedRow>(
      `SELECT ${COLUMNS} FROM issued_certificates WHERE ${column} = $1 ORDER BY issued_at DESC LIMIT 1`,
      [value],
    );
    return rows[0] && fromRow(rows[0]);
  }
}
