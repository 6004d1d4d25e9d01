import { Injectable } from '@nestjs/common';
import type { DeviceClaims } from '@outrider/admission';
import { Database } from '@outrider/platform/postgres';
import { currentTrace } from '@outrider/platform/service';

/** Which policies allowed it, and which version of them. */
export interface PolicyBasis {
  readonly policies: readonly string[];
  readonly version: number;
}

/** The audit of control tokens: append-only, written before the answer. */
@Injectable()
export class ControlTokenRepository {
  constructor(private readonly database: Database) {}

  async record(claims: DeviceClaims, decision: PolicyBasis, remoteAddress: string): Promise<void> {
    await this.database.query(
      `INSERT INTO control_tokens
         (device_id, jti, thumbprint, audience, scope, issued_at, expires_at, remote_address, trace_id, policies,
          policy_version)
       VALUES ($1, $2, $3, $4, $5, to_timestamp($6), to_timestamp($7), $8, $9, $10, $11)`,
      [
        claims.sub,
        claims.jti,
        claims.cnf['x5t#S256'],
        claims.aud,
        claims.scope,
        claims.iat,
        claims.exp,
        remoteAddress,
        currentTrace()?.traceId ?? null,
        decision.policies,
        decision.version,
      ],
    );
  }
}
