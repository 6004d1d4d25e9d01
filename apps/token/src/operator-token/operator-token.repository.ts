import { Injectable } from '@nestjs/common';
import type { OperatorClaims } from '@outrider/admission';
import { currentTrace } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import type { OperatorAccount } from './issue-operator-token.js';
import type { VerifiedAssertion } from './operator-assertion.js';

/** Assertions that were used, and the audit of operators' tokens. */
@Injectable()
export class OperatorTokenRepository {
  /** False where the assertion was used before. Those long expired are dropped on the way; an hour forgives any clock. */
  async useAssertion(tx: EntityManager, clientId: string, { jti, expiresAt }: VerifiedAssertion): Promise<boolean> {
    await tx.query(`DELETE FROM client_assertions WHERE expires_at < now() - interval '1 hour'`);
    const fresh: unknown[] = await tx.query(
      `INSERT INTO client_assertions (client_id, jti, expires_at) VALUES ($1, $2, to_timestamp($3))
       ON CONFLICT DO NOTHING RETURNING jti`,
      [clientId, jti, expiresAt],
    );
    return fresh.length === 1;
  }

  async record(tx: EntityManager, account: OperatorAccount, claims: OperatorClaims, remoteAddress: string) {
    await tx.query(
      `INSERT INTO operator_tokens (jti, account_id, roles, scope, issued_at, expires_at, remote_address, trace_id)
       VALUES ($1, $2, $3, $4, to_timestamp($5), to_timestamp($6), $7, $8)`,
      [
        claims.jti,
        account.id,
        claims.roles,
        claims.scope,
        claims.iat,
        claims.exp,
        remoteAddress,
        currentTrace()?.traceId ?? null,
      ],
    );
  }
}
