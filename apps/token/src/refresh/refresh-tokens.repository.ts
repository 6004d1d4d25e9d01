import { Injectable } from '@nestjs/common';
import { DeviceId, Thumbprint } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import type { RefreshHolder, StoredRefreshToken } from './decide-refresh.js';

/** Kept so long after its end, so that a late second use is still seen as one. */
const KEEP_DAYS = 7;

export interface FoundRefreshToken extends StoredRefreshToken {
  readonly familyId: string;
  readonly scope: string;
}

/** One of a family: by the SHA-256 of the token, with the access token that was given beside it. */
export interface NewRefreshToken {
  readonly hash: Uint8Array;
  readonly familyId: string;
  readonly accessJti: string;
  readonly accessExpiresAt: Date;
  readonly issuedAt: Date;
}

interface Row {
  family_id: string;
  device_id: string;
  thumbprint: string;
  jkt: string | null;
  scope: string;
  ends_at: Date;
  ended_at: Date | null;
  used_at: Date | null;
}

const SELECT = `SELECT f.id AS family_id, f.device_id, f.thumbprint, f.jkt, f.scope, f.ends_at, f.ended_at, t.used_at
  FROM refresh_tokens t JOIN refresh_families f ON f.id = t.family_id WHERE t.hash = $1`;

/** Refresh tokens by their hashes alone. */
@Injectable()
export class RefreshTokenRepository {
  constructor(private readonly database: Database) {}

  async find(hash: Uint8Array): Promise<FoundRefreshToken | undefined> {
    const [row] = await this.database.query<Row>(SELECT, [hash]);
    return row && found(row);
  }

  /** Nobody else decides on the family until `tx` ends. The token is read after the lock: an earlier reading may be over. */
  async lock(tx: EntityManager, hash: Uint8Array): Promise<FoundRefreshToken | undefined> {
    await tx.query(
      'SELECT 1 FROM refresh_families WHERE id = (SELECT family_id FROM refresh_tokens WHERE hash = $1) FOR UPDATE',
      [hash],
    );
    const [row] = (await tx.query(SELECT, [hash])) as Row[];
    return row && found(row);
  }

  async begin(
    tx: EntityManager,
    { deviceId, thumbprint, jkt }: RefreshHolder,
    { id, scope, startedAt, endsAt }: { id: string; scope: string; startedAt: Date; endsAt: Date },
  ): Promise<void> {
    await tx.query(`DELETE FROM refresh_families WHERE ends_at < now() - interval '${KEEP_DAYS} days'`);
    await tx.query(
      `INSERT INTO refresh_families (id, device_id, thumbprint, jkt, scope, started_at, ends_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [id, deviceId, thumbprint, jkt ?? null, scope, startedAt, endsAt],
    );
  }

  async add(tx: EntityManager, { hash, familyId, accessJti, accessExpiresAt, issuedAt }: NewRefreshToken) {
    await tx.query(
      `INSERT INTO refresh_tokens (hash, family_id, access_jti, access_expires_at, issued_at)
       VALUES ($1, $2, $3, $4, $5)`,
      [hash, familyId, accessJti, accessExpiresAt, issuedAt],
    );
  }

  async use(tx: EntityManager, hash: Uint8Array, at: Date): Promise<void> {
    await tx.query('UPDATE refresh_tokens SET used_at = $2 WHERE hash = $1', [hash, at]);
  }

  /** The first end stays. */
  async end(tx: EntityManager, familyId: string, why: string, at: Date): Promise<void> {
    await tx.query('UPDATE refresh_families SET ended_at = $2, ended_why = $3 WHERE id = $1 AND ended_at IS NULL', [
      familyId,
      at,
      why,
    ]);
  }

  /** The family's access tokens that have not ended at `at`. */
  async liveAccessTokens(familyId: string, at: Date): Promise<readonly { jti: string; expiresAt: Date }[]> {
    return this.database.query<{ jti: string; expiresAt: Date }>(
      `SELECT access_jti AS jti, access_expires_at AS "expiresAt" FROM refresh_tokens
       WHERE family_id = $1 AND access_expires_at > $2`,
      [familyId, at],
    );
  }
}

function found(row: Row): FoundRefreshToken {
  return {
    familyId: row.family_id,
    deviceId: DeviceId.parse(row.device_id),
    thumbprint: Thumbprint.parse(row.thumbprint),
    jkt: row.jkt ?? undefined,
    scope: row.scope,
    familyEndsAtMs: row.ends_at.getTime(),
    familyEnded: row.ended_at !== null,
    used: row.used_at !== null,
  };
}
