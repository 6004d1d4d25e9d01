import { Injectable } from '@nestjs/common';
import type { SerialNumber, Service, Thumbprint } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { RenewalHistory } from '../renew-service/decide-renewal.js';
import { fromRow, type IssuedCertificate, type IssuedRow } from './issued-certificate.js';

const COLUMNS =
  'certificate, issuer_key_id, profile, device_id, requested_by, request_id, request_sha256, issued_at, renewed_from';

const INSERT = `
  INSERT INTO issued_certificates (thumbprint, serial_number, key_thumbprint, not_before, not_after, ${COLUMNS})
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bytea[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::uuid[], $12::text[], $13::timestamptz[], $14::text[])`;

/** In one order everywhere, or two requests for the same ids might wait for each other. */
const LOCK = `
  SELECT pg_advisory_xact_lock(hash) FROM (
    SELECT DISTINCT hashtextextended(id, 0) AS hash FROM unnest($1::text[]) AS ids(id) ORDER BY hash) AS hashes`;

/** A certificate before another; the rest of its names where it is in the log. */
export interface Ancestor {
  readonly thumbprint: Thumbprint;
  readonly keyThumbprint: string | null;
  readonly issuerKeyId: string | null;
  readonly serialNumber: SerialNumber | null;
}

@Injectable()
export class IssuedCertificates {
  constructor(private readonly database: Database) {}

  /**
   * One at a time for each request id: a retry that overtakes its original waits for it, and then finds its certificate.
   * @param besides what else is locked along with them.
   */
  async lockRequests(
    tx: EntityManager,
    requestedBy: Service,
    requestIds: readonly string[],
    besides: readonly string[] = [],
  ): Promise<Map<string, IssuedCertificate>> {
    await tx.query(LOCK, [[...requestIds.map((requestId) => `${requestedBy}/${requestId}`), ...besides]]);
    const found: IssuedRow[] = await tx.query(
      `SELECT ${COLUMNS} FROM issued_certificates WHERE requested_by = $1 AND request_id = ANY($2)`,
      [requestedBy, requestIds],
    );
    return new Map(found.map((row) => [row.request_id, fromRow(row)]));
  }

  /** One statement, however many. */
  async addAll(tx: EntityManager, issued: readonly IssuedCertificate[]): Promise<void> {
    if (issued.length > 0) await tx.query(INSERT, columnsOf(issued));
  }

  /** What was certified elsewhere, by the ceremony, and is renewed here. @returns whether it was not in the log before. */
  async addFirst(tx: EntityManager, first: IssuedCertificate): Promise<boolean> {
    const added: object[] = await tx.query(`${INSERT} ON CONFLICT DO NOTHING RETURNING 1`, columnsOf([first]));
    return added.length > 0;
  }

  /** How many were renewed from a certificate, and whether a key was certified before. */
  async historyOf(tx: EntityManager, thumbprint: Thumbprint, keyThumbprint: string): Promise<RenewalHistory> {
    const [row]: { renewals: number; known: boolean }[] = await tx.query(
      `SELECT (SELECT count(*)::int FROM issued_certificates WHERE renewed_from = $1) AS renewals,
         EXISTS (SELECT 1 FROM issued_certificates WHERE renewed_from IS NOT NULL AND key_thumbprint = $2) AS known`,
      [thumbprint, keyThumbprint],
    );
    return { renewals: row?.renewals ?? 0, isKeyKnown: row?.known ?? false };
  }

  /** A service's certificate, what it was renewed from, and that from, back to the first; empty for one that has not been renewed here. */
  async lineOf(thumbprint: Thumbprint): Promise<Ancestor[]> {
    return this.database.query<Ancestor>(
      `WITH RECURSIVE line AS (
         SELECT thumbprint, key_thumbprint, issuer_key_id, serial_number, renewed_from
         FROM issued_certificates WHERE thumbprint = $1
         UNION
         SELECT line.renewed_from, i.key_thumbprint, i.issuer_key_id, i.serial_number, i.renewed_from
         FROM line LEFT JOIN issued_certificates i ON i.thumbprint = line.renewed_from WHERE line.renewed_from IS NOT NULL)
       SELECT thumbprint, key_thumbprint AS "keyThumbprint", issuer_key_id AS "issuerKeyId", serial_number AS "serialNumber"
       FROM line`,
      [thumbprint],
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

function columnsOf(issued: readonly IssuedCertificate[]): unknown[] {
  return [
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
    issued.map(({ renewedFrom }) => renewedFrom ?? null),
  ];
}
