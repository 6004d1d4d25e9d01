import { createPublicKey, type KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import type { OperatorAccount } from './issue-operator-token.js';
import type { Role } from './roles.js';

interface Row {
  readonly id: string;
  readonly client_id: string;
  readonly roles: string[];
  readonly public_key: string;
}

/** Service accounts of operators: a client id, roles, and the P-256 key that signs its assertions. */
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
}
