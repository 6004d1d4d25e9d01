import { Injectable } from '@nestjs/common';
import type { CrlSignRequest } from '@outrider/contracts';
import type { EntityManager } from 'typeorm';
import type { LastCrl } from './decide-crl.js';

@Injectable()
export class SignedCrls {
  /** One at a time for each issuer and distribution point. */
  async lockLast(tx: EntityManager, issuer: string, distributionPoint: string): Promise<LastCrl | undefined> {
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 1))', [`${issuer} ${distributionPoint}`]);
    const [last]: { number: string; request_sha256: string }[] = await tx.query(
      `SELECT number, request_sha256 FROM signed_crls WHERE issuer = $1 AND distribution_point = $2 ORDER BY number DESC LIMIT 1`,
      [issuer, distributionPoint],
    );
    return last && { number: Number(last.number), requestSha256: last.request_sha256 };
  }

  async add(tx: EntityManager, request: CrlSignRequest, requestSha256: string, now: Date): Promise<void> {
    await tx.query(
      'INSERT INTO signed_crls (issuer, distribution_point, number, request_sha256, signed_at) VALUES ($1, $2, $3, $4, $5)',
      [request.issuer, request.distributionPoint, request.number, requestSha256, now],
    );
  }
}
