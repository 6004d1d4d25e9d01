import { Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { OperatorAccount } from '../operator-token/issue-operator-token.js';

interface Row {
  readonly id: string;
  readonly client_id: string;
  readonly roles: string[];
  readonly hash: string | null;
}

const SELECT = `SELECT a.id, a.client_id, a.roles, p.hash FROM operator_accounts a
  LEFT JOIN person_passwords p ON p.account_id = a.id
  WHERE a.kind = 'person' AND a.enabled`;

/** `passwordHash`: undefined for a person who signs in elsewhere alone. */
export interface Person {
  readonly account: OperatorAccount;
  readonly passwordHash: string | undefined;
}

/** People: accounts of operators with a password, or an account at the identity provider. Those switched off are not there. */
@Injectable()
export class Persons {
  constructor(private readonly database: Database) {}

  async byName(username: string): Promise<Person | undefined> {
    return person(await this.database.query<Row>(`${SELECT} AND a.client_id = $1`, [username]));
  }

  async byId(tx: EntityManager, accountId: string): Promise<Person | undefined> {
    return person(await tx.query(`${SELECT} AND a.id = $1`, [accountId]));
  }

  /** Who the identity provider's subject is: linked beforehand, or nobody. */
  async byLink(issuer: string, subject: string): Promise<Person | undefined> {
    const linked = 'a.id = (SELECT account_id FROM person_oidc_links WHERE issuer = $1 AND subject = $2)';
    return person(await this.database.query<Row>(`${SELECT} AND ${linked}`, [issuer, subject]));
  }

  /** Makes the person, or gives it these roles and this identity; it keeps its id. Undefined where a service account has the name. */
  async upsert(
    tx: EntityManager,
    { username, identity, roles }: { username: string; identity: string; roles: readonly string[] },
  ): Promise<{ id: string } | undefined> {
    const [row]: { id: string }[] = await tx.query(
      `INSERT INTO operator_accounts (client_id, kind, identity, roles) VALUES ($1, 'person', $2, $3)
       ON CONFLICT (client_id) DO UPDATE
       SET identity = EXCLUDED.identity, roles = EXCLUDED.roles, enabled = true, changed_at = now()
       WHERE operator_accounts.kind = 'person'
       RETURNING id`,
      [username, identity, roles],
    );
    return row;
  }

  async setPassword(tx: EntityManager, accountId: string, hash: string): Promise<void> {
    await tx.query(
      `INSERT INTO person_passwords (account_id, hash) VALUES ($1, $2)
       ON CONFLICT (account_id) DO UPDATE SET hash = EXCLUDED.hash, changed_at = now()`,
      [accountId, hash],
    );
  }

  /** The same password at another cost; not where it was changed meanwhile. */
  async replaceHash(accountId: string, old: string, hash: string): Promise<void> {
    await this.database.query('UPDATE person_passwords SET hash = $3 WHERE account_id = $1 AND hash = $2', [
      accountId,
      old,
      hash,
    ]);
  }

  async link(tx: EntityManager, accountId: string, issuer: string, subject: string): Promise<void> {
    await tx.query(
      `INSERT INTO person_oidc_links (issuer, subject, account_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
      [issuer, subject, accountId],
    );
  }
}

function person([row]: Row[]): Person | undefined {
  if (!row) return undefined;
  const account = { id: row.id, clientId: row.client_id, roles: row.roles };
  return { account, passwordHash: row.hash ?? undefined };
}
