import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Sealer } from '../sealing/sealer.service.js';
import type { EnrolledFactors } from '../sign-in/sign-in.js';
import { recoveryDigest } from './recovery-codes.js';
import { acceptedStep } from './totp.js';

type TotpState = 'pending' | 'active';

interface Sealed {
  readonly account_id: string;
  readonly state: TotpState;
  readonly sealed_secret: Uint8Array;
}

const SEALED = 'SELECT account_id, state, sealed_secret FROM person_totps ORDER BY account_id, state';

/** Codes: the secret of an authenticator app, and recovery codes. */
@Injectable()
export class Factors {
  constructor(private readonly sealer: Sealer) {}

  async enrolled(tx: EntityManager, accountId: string): Promise<EnrolledFactors> {
    const [row] = await tx.query(
      `SELECT EXISTS (SELECT FROM person_totps WHERE account_id = $1 AND state = 'active') AS totp,
        (SELECT count(*)::int FROM person_webauthn_credentials WHERE account_id = $1) AS "webauthnCredentials",
        (SELECT count(*)::int FROM person_recovery_codes WHERE account_id = $1 AND used_at IS NULL) AS "recoveryCodes"`,
      [accountId],
    );
    return row;
  }

  async saveTotp(tx: EntityManager, accountId: string, state: TotpState, secret: Uint8Array): Promise<void> {
    await tx.query(
      `INSERT INTO person_totps (account_id, state, sealed_secret) VALUES ($1, $2, $3)
       ON CONFLICT (account_id, state)
       DO UPDATE SET sealed_secret = EXCLUDED.sealed_secret, last_step = 0, changed_at = now()`,
      [accountId, state, this.sealer.seal(secret, context(accountId))],
    );
  }

  /** Gives the account this secret, unless it has it: a code that was used stays used. */
  async provideTotp(tx: EntityManager, accountId: string, secret: Uint8Array): Promise<void> {
    const [row]: { sealed_secret: Uint8Array }[] = await tx.query(
      `SELECT sealed_secret FROM person_totps WHERE account_id = $1 AND state = 'active' FOR UPDATE`,
      [accountId],
    );
    if (row && this.sealer.unseal(row.sealed_secret, context(accountId)).equals(secret)) {
      await this.sealAnew(tx, { account_id: accountId, state: 'active', sealed_secret: row.sealed_secret });
    } else await this.saveTotp(tx, accountId, 'active', secret);
  }

  /**
   * Takes a code of the secret in this state, once: false for a wrong one and for one that was taken. A secret that an older key sealed is
   * sealed anew.
   */
  async useTotp(tx: EntityManager, accountId: string, state: TotpState, code: string, now: Date): Promise<boolean> {
    const [row]: { sealed_secret: Uint8Array; last_step: string }[] = await tx.query(
      'SELECT sealed_secret, last_step FROM person_totps WHERE account_id = $1 AND state = $2 FOR UPDATE',
      [accountId, state],
    );
    if (!row) return false;
    const secret = this.sealer.unseal(row.sealed_secret, context(accountId));
    const step = acceptedStep(secret, code, Number(row.last_step), now.getTime());
    if (step === undefined) return false;
    await tx.query('UPDATE person_totps SET last_step = $3 WHERE account_id = $1 AND state = $2', [
      accountId,
      state,
      step,
    ]);
    await this.sealAnew(tx, { account_id: accountId, state, sealed_secret: row.sealed_secret });
    return true;
  }

  /** How many secrets an older key seals. */
  async underOlderKeys(tx: EntityManager): Promise<number> {
    const rows: Sealed[] = await tx.query(SEALED);
    return rows.filter(({ account_id: id, sealed_secret: sealed }) => this.sealer.sealAnew(sealed, context(id))).length;
  }

  /** Seals by the first key what an older one sealed, of everybody. */
  async sealAllAnew(tx: EntityManager): Promise<void> {
    const rows: Sealed[] = await tx.query(`${SEALED} FOR UPDATE`);
    for (const row of rows) await this.sealAnew(tx, row);
  }

  private async sealAnew(tx: EntityManager, { account_id: id, state, sealed_secret: sealed }: Sealed): Promise<void> {
    const anew = this.sealer.sealAnew(sealed, context(id));
    if (!anew) return;
    await tx.query('UPDATE person_totps SET sealed_secret = $3 WHERE account_id = $1 AND state = $2', [
      id,
      state,
      anew,
    ]);
  }

  /** The pending secret takes the place of the active one; the step of its first code stays used. */
  async activateTotp(tx: EntityManager, accountId: string): Promise<void> {
    await tx.query(`DELETE FROM person_totps WHERE account_id = $1 AND state = 'active'`, [accountId]);
    await tx.query(`UPDATE person_totps SET state = 'active', changed_at = now() WHERE account_id = $1`, [accountId]);
  }

  /** The active secret, and one that waits for its first code. */
  async removeTotp(tx: EntityManager, accountId: string): Promise<void> {
    await tx.query('DELETE FROM person_totps WHERE account_id = $1', [accountId]);
  }

  async replaceRecoveryCodes(tx: EntityManager, accountId: string, codes: readonly string[]): Promise<void> {
    await tx.query('DELETE FROM person_recovery_codes WHERE account_id = $1', [accountId]);
    await tx.query(
      'INSERT INTO person_recovery_codes (account_id, digest) SELECT $1, digest FROM unnest($2::bytea[]) AS digest',
      [accountId, codes.map((code) => recoveryDigest(accountId, code))],
    );
  }

  /** False for one that is none, or was used. */
  async useRecoveryCode(tx: EntityManager, accountId: string, code: string): Promise<boolean> {
    const [, used]: [unknown, number] = await tx.query(
      'UPDATE person_recovery_codes SET used_at = now() WHERE account_id = $1 AND digest = $2 AND used_at IS NULL',
      [accountId, recoveryDigest(accountId, code)],
    );
    return used === 1;
  }
}

function context(accountId: string): string {
  return `outrider/totp-secret/v1/${accountId}`;
}
