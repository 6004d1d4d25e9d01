import { Injectable } from '@nestjs/common';
import type { DpopProof } from '@outrider/admission';
import { Database } from '../postgres/database.service.js';
import { Schedule } from '../service/schedule.service.js';

const PURGE_EVERY_MS = 10_000;
const PURGED_AT_ONCE = 10_000;
/** The clocks of replicas and of the database may differ; a row that stays too long costs nothing but room. */
const MARGIN_SECONDS = 120;

/** Which DPoP proofs were used, shared by the replicas of this service. */
@Injectable()
export class DpopProofRepository {
  constructor(
    private readonly database: Database,
    schedule: Schedule,
  ) {
    schedule.every(PURGE_EVERY_MS, 'used DPoP proofs could not be purged', () => this.purge());
  }

  /** True for the first one to use the proof, of all replicas. @throws DomainError `service.unavailable` where that cannot be known */
  async use({ replayKey, untilSeconds }: Pick<DpopProof, 'replayKey' | 'untilSeconds'>): Promise<boolean> {
    const rows = await this.database.query(
      `INSERT INTO dpop_proofs (replay_key, expires_at) VALUES ($1, to_timestamp($2))
       ON CONFLICT DO NOTHING RETURNING 1 AS used`,
      [replayKey, untilSeconds + MARGIN_SECONDS],
    );
    return rows.length === 1;
  }

  /** A bounded piece of what has expired. */
  async purge(): Promise<void> {
    await this.database.query(
      `DELETE FROM dpop_proofs WHERE replay_key IN
         (SELECT replay_key FROM dpop_proofs WHERE expires_at < now() ORDER BY expires_at LIMIT $1)`,
      [PURGED_AT_ONCE],
    );
  }
}
