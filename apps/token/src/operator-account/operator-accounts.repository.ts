import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { IssuedToken } from '../denied-tokens/issued-token.js';
import type { Account, AccountQuery } from './operator-account.js';

const SELECT = `SELECT id, client_id AS "clientId", kind, identity, roles, enabled, public_key AS "publicKeyPem", keyed_by AS "keyedBy",
  created_at AS "createdAt", changed_at AS "changedAt" FROM operator_accounts`;

/** Operators' accounts of either kind, as the API shows and changes them. */
@Injectable()
export class OperatorAccounts {
  constructor(private readonly database: Database) {}

  /** By client id, one more than `limit` where there are more. */
  page({ limit, after }: AccountQuery): Promise<Account[]> {
    return this.database.query<Account>(
      `${SELECT} WHERE $1::text IS NULL OR client_id COLLATE "C" > $1 ORDER BY client_id COLLATE "C" LIMIT $2`,
      [after ?? null, limit + 1],
    );
  }

  /** @throws DomainError `operator.not_found` */
  async mustFind(id: string): Promise<Account> {
    return one(await this.database.query<Account>(`${SELECT} WHERE id = $1`, [id]));
  }

  /** Until the transaction ends no token of the account is recorded. @throws DomainError `operator.not_found` */
  async mustLock(tx: EntityManager, id: string): Promise<Account> {
    return one(await tx.query(`${SELECT} WHERE id = $1 FOR UPDATE`, [id]));
  }

  /** @throws DomainError `operator.exists` */
  async add(tx: EntityManager, account: Account): Promise<void> {
    const { id, clientId, kind, identity, roles, publicKeyPem, keyedBy, createdAt } = account;
    const added: unknown[] = await tx.query(
      `INSERT INTO operator_accounts (id, client_id, kind, identity, roles, public_key, keyed_by, created_at, changed_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT (client_id) DO NOTHING RETURNING id`,
      [id, clientId, kind, identity, roles, publicKeyPem, keyedBy, createdAt],
    );
    if (added.length === 0) throw new DomainError('operator.exists', { detail: clientId });
  }

  /** Of a row that `mustLock` has locked. */
  async save(tx: EntityManager, { id, roles, enabled, publicKeyPem, keyedBy, changedAt }: Account): Promise<void> {
    await tx.query(
      `UPDATE operator_accounts SET roles = $2, enabled = $3, public_key = $4, keyed_by = $5, changed_at = $6
       WHERE id = $1`,
      [id, roles, enabled, publicKeyPem, keyedBy, changedAt],
    );
  }

  /** Tokens of the account that have not ended. */
  liveTokens(tx: EntityManager, id: string, now: Date): Promise<IssuedToken[]> {
    return tx.query(
      'SELECT jti, expires_at AS "expiresAt" FROM operator_tokens WHERE account_id = $1 AND expires_at > $2',
      [id, now],
    );
  }
}

function one(rows: readonly Account[]): Account {
  const [row] = rows;
  if (!row) throw new DomainError('operator.not_found');
  return row;
}
