import { Injectable } from '@nestjs/common';
import type { OperatorClaims } from '@outrider/admission';
import { currentTrace } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import type { OperatorAccount } from './issue-operator-token.js';

/** The audit of operators' tokens. */
@Injectable()
export class OperatorTokenRepository {
  async record(tx: EntityManager, account: OperatorAccount, claims: OperatorClaims, remoteAddress: string) {
    await tx.query(
      `INSERT INTO operator_tokens (jti, account_id, roles, scope, issued_at, expires_at, remote_address, trace_id, elevation_id)
       VALUES ($1, $2, $3, $4, to_timestamp($5), to_timestamp($6), $7, $8, $9)`,
      [
        claims.jti,
        account.id,
        claims.roles,
        claims.scope,
        claims.iat,
        claims.exp,
        remoteAddress,
        currentTrace()?.traceId ?? null,
        claims.elevation ?? null,
      ],
    );
  }
}
