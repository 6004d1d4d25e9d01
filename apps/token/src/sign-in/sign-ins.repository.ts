import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import { Schedule } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import type { SignIn } from './sign-in.js';

/** `firstAmr`: how the first factor was shown (RFC 8176); `challenge`: of WebAuthn, while one is out. */
export interface StoredSignIn extends SignIn {
  readonly id: string;
  readonly accountId: string;
  readonly firstAmr: readonly string[];
  readonly scope: string | undefined;
  readonly challenge: string | undefined;
}

interface Row {
  readonly id: string;
  readonly account_id: string;
  readonly state: 'open' | 'done';
  readonly first_amr: string[];
  readonly scope: string | null;
  readonly challenge: string | null;
  readonly failures: number;
  readonly expires_at: Date;
}

const SWEEP_MS = 300_000;

/** Sign-ins between their first factor and their second. */
@Injectable()
export class SignIns implements OnApplicationBootstrap {
  constructor(
    private readonly database: Database,
    private readonly schedule: Schedule,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule.every(SWEEP_MS, 'sign-ins that are over were not removed', () =>
      this.database.query('DELETE FROM sign_ins WHERE expires_at < now()'),
    );
  }

  async add(tx: EntityManager, signIn: StoredSignIn): Promise<void> {
    const { id, accountId, state, firstAmr, scope, expiresAtMs } = signIn;
    await tx.query(
      'INSERT INTO sign_ins (id, account_id, state, first_amr, scope, expires_at) VALUES ($1, $2, $3, $4, $5, $6)',
      [id, accountId, state, firstAmr, scope ?? null, new Date(expiresAtMs)],
    );
  }

  async find(id: string): Promise<StoredSignIn | undefined> {
    return signIn(await this.database.query<Row>('SELECT * FROM sign_ins WHERE id = $1', [id]));
  }

  async lock(tx: EntityManager, id: string): Promise<StoredSignIn | undefined> {
    return signIn(await tx.query('SELECT * FROM sign_ins WHERE id = $1 FOR UPDATE', [id]));
  }

  /** Those of the account that owe a second factor. */
  async endOf(tx: EntityManager, accountId: string): Promise<void> {
    await tx.query(`DELETE FROM sign_ins WHERE account_id = $1 AND state = 'open'`, [accountId]);
  }

  async save(tx: EntityManager, { id, state, failures, challenge }: StoredSignIn): Promise<void> {
    await tx.query('UPDATE sign_ins SET state = $2, failures = $3, challenge = $4 WHERE id = $1', [
      id,
      state,
      failures,
      challenge ?? null,
    ]);
  }
}

function signIn([row]: Row[]): StoredSignIn | undefined {
  return (
    row && {
      id: row.id,
      accountId: row.account_id,
      state: row.state,
      firstAmr: row.first_amr,
      scope: row.scope ?? undefined,
      challenge: row.challenge ?? undefined,
      failures: row.failures,
      expiresAtMs: row.expires_at.getTime(),
    }
  );
}
