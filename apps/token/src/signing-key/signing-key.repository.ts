import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import { Sealer } from '../sealing/sealer.service.js';
import { dueSteps, type RotationPolicy, type RotationStep } from './rotate-keys.js';
import { openKey, sealKey, sealKeyAnew } from './sealed-key.js';
import { publicJwk, type SigningKey, type SigningKeyState } from './signing-key.js';

interface Row {
  readonly kid: string;
  readonly state: SigningKeyState;
  readonly sealed_private_key: Uint8Array;
  readonly created_at: Date;
  readonly state_changed_at: Date;
}

const SELECT =
  'SELECT kid, state, sealed_private_key, created_at, state_changed_at FROM signing_keys ORDER BY created_at';

/** Signing keys, sealed in the database, opened in memory. */
@Injectable()
export class SigningKeyRepository {
  constructor(
    private readonly database: Database,
    private readonly sealer: Sealer,
  ) {}

  async all(): Promise<SigningKey[]> {
    return (await this.database.query<Row>(SELECT)).map((row) => this.open(row));
  }

  /** All keys; the first replica to come makes the first key, which may sign at once: nobody can have fetched a set without it. */
  allOrFirst(now: Date): Promise<SigningKey[]> {
    return this.database.transaction(async (tx) => {
      const keys = await this.lockAll(tx);
      return keys.length > 0 ? keys : [await this.create(tx, 'sign', now)];
    });
  }

  /** Takes the steps that are due, one replica at a time. Returns them. What an older key-encryption key sealed is sealed anew. */
  rotate(policy: RotationPolicy, now: Date): Promise<RotationStep[]> {
    return this.database.transaction(async (tx) => {
      const steps = dueSteps(await this.lockAll(tx), policy, now);
      for (const step of steps) await this.take(tx, step, now);
      await this.sealAnew(tx);
      return steps;
    });
  }

  /** The same beside a running service. */
  sealAllAnew(): Promise<void> {
    return this.database.transaction(async (tx) => {
      await this.lockAll(tx);
      await this.sealAnew(tx);
    });
  }

  /** How many keys an older key-encryption key seals. */
  async underOlderKeys(): Promise<number> {
    return (await this.database.query<Row>(SELECT)).filter((row) => this.anew(row)).length;
  }

  private async sealAnew(tx: EntityManager): Promise<void> {
    const rows: Row[] = await tx.query(SELECT);
    for (const row of rows) {
      const sealed = this.anew(row);
      if (sealed) await tx.query('UPDATE signing_keys SET sealed_private_key = $2 WHERE kid = $1', [row.kid, sealed]);
    }
  }

  private anew({ sealed_private_key: sealed, kid }: Row): Buffer | undefined {
    return sealKeyAnew(sealed, kid, this.sealer.keys, randomBytes(12));
  }

  private async take(tx: EntityManager, step: RotationStep, now: Date): Promise<void> {
    if (step.kind === 'publish') await this.create(tx, 'publish', now);
    else if (step.kind === 'remove') await tx.query('DELETE FROM signing_keys WHERE kid = $1', [step.kid]);
    else {
      await tx.query('UPDATE signing_keys SET state = $2, state_changed_at = $3 WHERE kid = $1', [
        step.kid,
        step.kind,
        now,
      ]);
    }
  }

  private async lockAll(tx: EntityManager): Promise<SigningKey[]> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.signing_keys', 0))`);
    const rows: Row[] = await tx.query(SELECT);
    return rows.map((row) => this.open(row));
  }

  /** A fresh P-256 key. */
  private async create(tx: EntityManager, state: SigningKeyState, now: Date): Promise<SigningKey> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = publicJwk(publicKey);
    const sealed = sealKey(privateKey, jwk.kid, this.sealer.keys[0], randomBytes(12));
    await tx.query(
      `INSERT INTO signing_keys (kid, state, sealed_private_key, created_at, state_changed_at) VALUES ($1, $2, $3, $4, $4)`,
      [jwk.kid, state, sealed, now],
    );
    return { kid: jwk.kid, state, since: now, createdAt: now, privateKey, publicJwk: jwk };
  }

  /** The public key comes from the private one: a row cannot publish a key that is not ours. */
  private open(row: Row): SigningKey {
    const privateKey = openKey(row.sealed_private_key, row.kid, this.sealer.keys);
    const jwk = publicJwk(createPublicKey(privateKey));
    const { state, state_changed_at: since, created_at: createdAt } = row;
    return { kid: jwk.kid, state, since, createdAt, privateKey, publicJwk: jwk };
  }
}
