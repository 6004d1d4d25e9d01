import { Injectable } from '@nestjs/common';
import type { SerialNumber, Service, Thumbprint } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import { fromRow, type IssuedCertificate, type IssuedRow } from './issued-certificate.js';

const COLUMNS = 'certificate, issuer_key_id, profile, device_id, requested_by, request_id, request_sha256, issued_at';

const INSERT = `
  INSERT INTO issued_certificates (thumbprint, serial_number, key_thumbprint, not_before, not_after, ${COLUMNS})
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bytea[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::uuid[], $12::text[], $13::timestamptz[])`;

/** In one order everywhere, or two requests for the same ids might wait for each other. */
const LOCK = `
  SELECT pg_advisory_xact_lock(hash) FROM (
    SELECT DISTINCT hashtextextended(id, 0) AS hash FROM unnest($1::text[]) AS ids(id) ORDER BY hash) AS hashes`;

@Injectable()
export class IssuedCertificates {
  constructor(private readonly database: Database) {}

  /** One at a time for each request id: a retry that overtakes its original waits for it, and then finds its certificate. */
  async lockRequests(
    tx: EntityManager,
    requestedBy: Service,
    requestIds: readonly string[],
  ): Promise<Map<string, IssuedCertificate>> {
    await tx.query(LOCK, [requestIds.map((requestId) => `${requestedBy}/${requestId}`)]);
    const found: IssuedRow[] = await tx.query(
      `SELECT ${COLUMNS} FROM issued_certificates WHERE requested_by = $1 AND request_id = ANY($2)`,
      [requestedBy, requestIds],
    );
    return new Map(found.map((row) => [row.request_id, fromRow(row)]));
  }

  /** One statement, however many. */
  async addAll(tx: EntityManager, issued: readonly IssuedCertificate[]): Promise<void> {
    if (issued.length === 0) return;
    await tx.query(INSERT, [
      issued.map(({ certificate }) => certificate.thumbprint),
      issued.map(({ certificate }) => certificate.serialNumber),
      issued.map(({ certificate }) => certificate.keyThumbprint),
      issued.map(({ certificate }) => certificate.notBefore),
      issued.map(({ certificate }) => certificate.notAfter),
      issued.map(({ certificate }) => Buffer.from(certificate.der)),
      issued.map(({ issuerKeyId }) => issuerKeyId),
      issued.map(({ profile }) => profile),
      issued.map(({ deviceId }) => deviceId ?? null),
      issued.map(({ requestedBy }) => requestedBy),
      issued.map(({ requestId }) => requestId),
      issued.map(({ requestSha256 }) => requestSha256),
      issued.map(({ issuedAt }) => issuedAt),
    ]);
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
