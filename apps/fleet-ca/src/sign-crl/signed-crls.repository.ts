import { Injectable } from '@nestjs/common';
import type { CrlSignRequest } from '@outrider/contracts';
import type { EntityManager } from 'typeorm';
import type { LastCrl } from './decide-crl.js';

@Injectable()
export class SignedCrls {
  /** One at a time for each distribution point; each has one issuer for ever. */
  async lockLast(tx: EntityManager, issuerKeyId: string, distributionPoint: string): Promise<LastCrl | undefined> {
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 1))', [distributionPoint]);
    const [last]: { number: string; request_sha256: string }[] = await tx.query(
      `SELECT number, request_sha256 FROM signed_crls WHERE issuer IN ($1, 'vehicle-ca') AND distribution_point = $2 ORDER BY number DESC LIMIT 1`,
      // Before there were generations an authority's name stood here.
      [issuerKeyId, distributionPoint],
    );
    return last && { number: Number(last.number), requestSha256: last.request_sha256 };
  }

  async add(tx: EntityManager, request: CrlSignRequest, requestSha256: string, now: Date): Promise<void> {
    await tx.query(
      'INSERT INTO signed_crls (issuer, distribution_point, number, request_sha256, signed_at) VALUES ($1, $2, $3, $4, $5)',
      [request.issuerKeyId, request.distributionPoint, request.number, requestSha256, now],
    );
  }
}
