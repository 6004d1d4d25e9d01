import { Injectable } from '@nestjs/common';
import type { CrlSignRequest } from '@outrider/contracts';
import type { EntityManager } from 'typeorm';
import type { SignedBefore } from './decide-crl.js';

/** A transaction, or the database outside any. */
interface Queryable {
  query<T>(sql: string, parameters: unknown[]): Promise<T[]>;
}

@Injectable()
export class SignedCrls {
  /** One at a time for each distribution point; each has one issuer for ever. */
  async lock(tx: EntityManager, distributionPoint: string): Promise<void> {
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 1))', [distributionPoint]);
  }

  /** What was signed before for the request's issuer and place. */
  async before(
    from: Queryable | EntityManager,
    { issuerKeyId, distributionPoint, baseNumber }: CrlSignRequest,
  ): Promise<SignedBefore> {
    // Before there were generations an authority's name stood in the place of its key.
    const [last] = await (from as Queryable).query<{ number: string; request_sha256: string; has_base: boolean }>(
      `SELECT number, request_sha256, EXISTS (
         SELECT 1 FROM signed_crls WHERE issuer = $1 AND distribution_point = $2 AND number = $3 AND NOT is_delta) AS has_base
       FROM signed_crls WHERE issuer IN ($1, 'vehicle-ca') AND distribution_point = $2 ORDER BY number DESC LIMIT 1`,
      [issuerKeyId, distributionPoint, baseNumber ?? null],
    );
    return {
      last: last && { number: Number(last.number), requestSha256: last.request_sha256 },
      hasBase: last?.has_base ?? false,
    };
  }

  async add(tx: EntityManager, request: CrlSignRequest, requestSha256: string, now: Date): Promise<void> {
    await tx.query(
      `INSERT INTO signed_crls (issuer, distribution_point, number, request_sha256, signed_at, is_delta)
       VALUES ($1, $2, $3, $4, $5, $6)`,
      [
        request.issuerKeyId,
        request.distributionPoint,
        request.number,
        requestSha256,
        now,
        request.baseNumber !== undefined,
      ],
    );
  }
}
