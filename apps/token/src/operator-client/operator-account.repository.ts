import { createPublicKey, type KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { OperatorAccount } from '../operator-token/issue-operator-token.js';
import type { Role } from '../operator-token/roles.js';
import type { VerifiedAssertion } from './client-assertion.js';

interface Row {
  readonly id: string;
  readonly client_id: string;
  readonly roles: string[];
  readonly public_key: string;
}

/** Service accounts of operators: a client id, roles, the P-256 key that signs its assertions, and which of those were used. */
@Injectable()
export class OperatorAccountRepository {
  constructor(private readonly database: Database) {}

  /** Undefined also for an account that is switched off. */
  async find(clientId: string): Promise<{ account: OperatorAccount; publicKey: KeyObject } | undefined> {
    const [row] = await this.database.query<Row>(
      'SELECT id, client_id, roles, public_key FROM operator_accounts WHERE client_id = $1 AND enabled',
      [clientId],
    );
    if (!row) return undefined;
    const account = { id: row.id, clientId: row.client_id, roles: row.roles };
    return { account, publicKey: createPublicKey(row.public_key) };
  }

  /** Makes the account, or gives it these roles and this key (PEM); it keeps its id. */
  async upsert(clientId: string, roles: readonly Role[], publicKeyPem: string): Promise<{ id: string }> {
    const [row] = await this.database.query<{ id: string }>(
      `INSERT INTO operator_accounts (client_id, roles, public_key) VALUES ($1, $2, $3)
       ON CONFLICT (client_id) DO UPDATE
       SET roles = EXCLUDED.roles, public_key = EXCLUDED.public_key, enabled = true, changed_at = now()
       RETURNING id`,
      [clientId, roles, publicKeyPem],
    );
    return row!;
  }

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
}
