import { createPublicKey, type KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { Party } from '../elevation/elevation.js';
import type { OperatorAccount } from '../operator-token/issue-operator-token.js';
import type { Role } from '../operator-token/roles.js';
import type { VerifiedAssertion } from './client-assertion.js';

interface Row {
  readonly id: string;
  readonly client_id: string;
  readonly roles: string[];
  readonly public_key: string;
}

/** `identity`: who stands behind the account: the same for every account of one person. */
export interface ServiceAccount {
  readonly clientId: string;
  readonly identity: string;
  readonly roles: readonly Role[];
  readonly publicKeyPem: string;
}

/** Accounts of operators. Service accounts: a client id, roles, the P-256 key that signs its assertions, and which of those were used. */
@Injectable()
export class OperatorAccountRepository {
  constructor(private readonly database: Database) {}

  /** A service account; undefined also for one that is switched off. */
  async find(
    clientId: string,
  ): Promise<{ account: OperatorAccount; publicKey: KeyObject; publicKeyPem: string } | undefined> {
    const [row] = await this.database.query<Row>(
      `SELECT id, client_id, roles, public_key FROM operator_accounts
       WHERE client_id = $1 AND kind = 'service' AND enabled`,
      [clientId],
    );
    if (!row) return undefined;
    const account = { id: row.id, clientId: row.client_id, roles: row.roles };
    return { account, publicKey: createPublicKey(row.public_key), publicKeyPem: row.public_key };
  }

  /** Whether there is such an account, of either kind, switched on. */
  async isEnabled(clientId: string): Promise<boolean> {
    const rows = await this.database.query('SELECT 1 FROM operator_accounts WHERE client_id = $1 AND enabled', [
      clientId,
    ]);
    return rows.length === 1;
  }

  /**
   * Holds the account as it was read against changes until the transaction ends: a token is recorded before a change, which ends it, or
   * never.
   * @throws DomainError `token.invalid_client` where it was switched off or its roles were changed since
   */
  async hold(tx: EntityManager, { id, roles }: OperatorAccount): Promise<void> {
    const held: unknown[] = await tx.query(
      'SELECT 1 FROM operator_accounts WHERE id = $1 AND roles = $2 AND enabled FOR SHARE',
      [id, roles],
    );
    if (held.length === 0) throw new DomainError('token.invalid_client', { detail: 'the account was just changed' });
  }

  /** Holds the key that an assertion was verified by, as `hold` does the rest; false where it was changed since. */
  async holdKey(tx: EntityManager, id: string, publicKeyPem: string): Promise<boolean> {
    const held: unknown[] = await tx.query(
      'SELECT 1 FROM operator_accounts WHERE id = $1 AND public_key = $2 AND enabled FOR SHARE',
      [id, publicKeyPem],
    );
    return held.length > 0;
  }

  /** The account behind an operator token's `sub`, and who stands behind that. @throws DomainError `auth.role_insufficient` for one that is switched off */
  async mustFind(tx: EntityManager, subject: string): Promise<Party> {
    const [party]: Party[] = await tx.query(
      'SELECT id, identity, roles FROM operator_accounts WHERE id = $1 AND enabled',
      [subject.slice('op:'.length)],
    );
    if (!party) throw new DomainError('auth.role_insufficient', { detail: 'the account is switched off' });
    return party;
  }

  /** Who stands behind accounts, and who may hold their keys; those that are switched off are left out. `subjects`: `op:<uuid>`. */
  identities(subjects: readonly string[]): Promise<{ subject: string; identity: string; keyedBy: string[] }[]> {
    return this.database.query(
      `SELECT 'op:' || id AS subject, identity, keyed_by AS "keyedBy" FROM operator_accounts
       WHERE 'op:' || id = ANY($1) AND enabled`,
      [subjects],
    );
  }

  /** Makes the service account, or gives it these roles, this identity and this key (PEM); it keeps its id. Undefined where a person has the name. */
  async upsert({ clientId, identity, roles, publicKeyPem }: ServiceAccount): Promise<{ id: string } | undefined> {
    const [row] = await this.database.query<{ id: string }>(
      `INSERT INTO operator_accounts (client_id, kind, identity, roles, public_key) VALUES ($1, 'service', $2, $3, $4)
       ON CONFLICT (client_id) DO UPDATE
       SET identity = EXCLUDED.identity, roles = EXCLUDED.roles, public_key = EXCLUDED.public_key, enabled = true,
         changed_at = now()
       WHERE operator_accounts.kind = 'service'
       RETURNING id`,
      [clientId, identity, roles, publicKeyPem],
    );
    return row;
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
