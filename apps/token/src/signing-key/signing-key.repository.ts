import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import { CONFIG, readSecret } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import type { TokenConfig } from '../config.js';
import { openKey, parseEncryptionKey, sealKey } from './sealed-key.js';
import { publicJwk, type SigningKey, type SigningKeyState } from './signing-key.js';

interface Row {
  readonly kid: string;
  readonly state: SigningKeyState;
  readonly sealed_private_key: Uint8Array;
  readonly created_at: Date;
}

const SELECT = 'SELECT kid, state, sealed_private_key, created_at FROM signing_keys ORDER BY created_at';

/** Signing keys, sealed in the database, opened in memory. */
@Injectable()
export class SigningKeyRepository {
  private readonly encryptionKey: Buffer;

  constructor(
    private readonly database: Database,
    @Inject(CONFIG) config: TokenConfig,
  ) {
    this.encryptionKey = parseEncryptionKey(readSecret(config.signingKeys.encryptionKeyFile));
  }

  async all(): Promise<SigningKey[]> {
    return (await this.database.query<Row>(SELECT)).map((row) => this.open(row));
  }

  /** All keys; the first replica to come makes the first key, which may sign at once: nobody can have fetched a set without it. */
  allOrFirst(now: Date): Promise<SigningKey[]> {
    return this.database.transaction(async (tx) => {
      await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.signing_keys', 0))`);
      const rows: Row[] = await tx.query(SELECT);
      return rows.length > 0 ? rows.map((row) => this.open(row)) : [await this.create(tx, 'sign', now)];
    });
  }

  /** A fresh P-256 key. */
  private async create(tx: EntityManager, state: SigningKeyState, now: Date): Promise<SigningKey> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = publicJwk(publicKey);
    const sealed = sealKey(privateKey, jwk.kid, this.encryptionKey, randomBytes(12));
    await tx.query(
      `INSERT INTO signing_keys (kid, state, sealed_private_key, created_at, state_changed_at) VALUES ($1, $2, $3, $4, $4)`,
      [jwk.kid, state, sealed, now],
    );
    return { kid: jwk.kid, state, createdAt: now, privateKey, publicJwk: jwk };
  }

  /** The public key comes from the private one: a row cannot publish a key that is not ours. */
  private open(row: Row): SigningKey {
    const privateKey = openKey(row.sealed_private_key, row.kid, this.encryptionKey);
    const jwk = publicJwk(createPublicKey(privateKey));
    return { kid: jwk.kid, state: row.state, createdAt: row.created_at, privateKey, publicJwk: jwk };
  }
}
