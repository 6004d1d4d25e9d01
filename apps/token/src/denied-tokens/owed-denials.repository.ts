import { Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { IssuedToken } from './issued-token.js';

export interface OwedDenial extends IssuedToken {
  readonly reason: string;
}

/** Tokens whose denial is decided and not yet confirmed by revocation. */
@Injectable()
export class OwedDenials {
  constructor(private readonly database: Database) {}

  async add(tx: EntityManager, tokens: readonly IssuedToken[], reason: string): Promise<void> {
    await tx.query(
      `INSERT INTO owed_denials (jti, expires_at, reason) SELECT jti, expires_at, $3
       FROM unnest($1::text[], $2::timestamptz[]) AS owed (jti, expires_at) ON CONFLICT DO NOTHING`,
      [tokens.map(({ jti }) => jti), tokens.map(({ expiresAt }) => expiresAt), reason],
    );
  }

  /** The oldest first. */
  list(limit: number): Promise<OwedDenial[]> {
    return this.database.query(
      'SELECT jti, expires_at AS "expiresAt", reason FROM owed_denials ORDER BY owed_at, jti LIMIT $1',
      [limit],
    );
  }

  async remove(jtis: readonly string[]): Promise<void> {
    await this.database.query('DELETE FROM owed_denials WHERE jti = ANY($1)', [jtis]);
  }
}
