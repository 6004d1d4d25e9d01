import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

/** `id`: base64url as the authenticator made it up; `publicKey`: COSE; `counter`: of the last use. */
export interface WebAuthnKey {
  readonly id: string;
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly counter: number;
  readonly transports: string[];
}

/** As its owner called it. */
export interface NamedKey {
  readonly id: string;
  readonly name: string;
  readonly created_at: Date;
  readonly used_at: Date | null;
}

interface Row {
  readonly credential_id: string;
  readonly public_key: Uint8Array<ArrayBuffer>;
  readonly counter: string;
  readonly transports: string[];
}

const SELECT = 'SELECT credential_id, public_key, counter, transports FROM person_webauthn_credentials';

/** Security keys and passkeys of people, and the challenges of registrations under way, one an account. */
@Injectable()
export class WebAuthnCredentials {
  async of(tx: EntityManager, accountId: string): Promise<WebAuthnKey[]> {
    const rows: Row[] = await tx.query(`${SELECT} WHERE account_id = $1 ORDER BY created_at`, [accountId]);
    return rows.map(key);
  }

  async lock(tx: EntityManager, accountId: string, id: string): Promise<WebAuthnKey | undefined> {
    const [row]: Row[] = await tx.query(`${SELECT} WHERE account_id = $1 AND credential_id = $2 FOR UPDATE`, [
      accountId,
      id,
    ]);
    return row && key(row);
  }

  /** For their owner to tell them apart. */
  async named(tx: EntityManager, accountId: string): Promise<NamedKey[]> {
    return tx.query(
      `SELECT credential_id AS id, name, created_at, used_at FROM person_webauthn_credentials
       WHERE account_id = $1 ORDER BY created_at, credential_id`,
      [accountId],
    );
  }

  /** False where the account has no such key. */
  async remove(tx: EntityManager, accountId: string, id: string): Promise<boolean> {
    const [, removed]: [unknown, number] = await tx.query(
      'DELETE FROM person_webauthn_credentials WHERE account_id = $1 AND credential_id = $2',
      [accountId, id],
    );
    return removed === 1;
  }

  /** False where the account has no such key. */
  async rename(tx: EntityManager, accountId: string, id: string, name: string): Promise<boolean> {
    const [, renamed]: [unknown, number] = await tx.query(
      'UPDATE person_webauthn_credentials SET name = $3 WHERE account_id = $1 AND credential_id = $2',
      [accountId, id, name],
    );
    return renamed === 1;
  }

  /** False where the credential is registered already, to whomever. */
  async add(tx: EntityManager, accountId: string, name: string, credential: WebAuthnKey): Promise<boolean> {
    const added: unknown[] = await tx.query(
      `INSERT INTO person_webauthn_credentials (credential_id, account_id, name, public_key, counter, transports)
       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING 1`,
      [credential.id, accountId, name, Buffer.from(credential.publicKey), credential.counter, credential.transports],
    );
    return added.length === 1;
  }

  async used(tx: EntityManager, id: string, counter: number): Promise<void> {
    await tx.query('UPDATE person_webauthn_credentials SET counter = $2, used_at = now() WHERE credential_id = $1', [
      id,
      counter,
    ]);
  }

  async saveRegistration(tx: EntityManager, accountId: string, challenge: string, expiresAt: Date): Promise<void> {
    await tx.query(
      `INSERT INTO person_webauthn_registrations (account_id, challenge, expires_at) VALUES ($1, $2, $3)
       ON CONFLICT (account_id) DO UPDATE SET challenge = EXCLUDED.challenge, expires_at = EXCLUDED.expires_at`,
      [accountId, challenge, expiresAt],
    );
  }

  /** The challenge of the registration under way, which this ends. */
  async takeRegistration(tx: EntityManager, accountId: string, now: Date): Promise<string | undefined> {
    const [rows]: [{ challenge: string }[], number] = await tx.query(
      'DELETE FROM person_webauthn_registrations WHERE account_id = $1 AND expires_at > $2 RETURNING challenge',
      [accountId, now],
    );
    return rows[0]?.challenge;
  }
}

function key(row: Row): WebAuthnKey {
  const publicKey = new Uint8Array(row.public_key);
  return { id: row.credential_id, publicKey, counter: Number(row.counter), transports: row.transports };
}
