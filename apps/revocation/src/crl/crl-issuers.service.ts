import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { authorityList } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { Nats } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import { Schedule } from '@outrider/platform/service';
import type { CrlIssuer } from './crl.js';

const ASK_EVERY_MS = 5_000;
const TIMEOUT_MS = 4_000;

const isAway = (error: unknown) => error instanceof DomainError && error.code === 'service.unavailable';

/** The issuing CAs whose certificates there are lists of, as fleet-ca last named them. */
@Injectable()
export class CrlIssuers implements OnApplicationBootstrap {
  private known: readonly CrlIssuer[] = [];

  constructor(
    private readonly database: Database,
    private readonly nats: Nats,
    private readonly schedule: Schedule,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    try {
      this.known = await this.database.query<CrlIssuer>(
        'SELECT issuer_key_id AS "issuerKeyId", prefix FROM crl_issuers ORDER BY prefix',
      );
    } catch (error) {
      // Fleet-ca names them all the same: no reason to end, and to begin again and again on a machine that has no time.
      if (!isAway(error)) throw error;
    }
    this.schedule.every(ASK_EVERY_MS, 'the issuing CAs could not be asked for', () => this.ask())();
  }

  current(): readonly CrlIssuer[] {
    return this.known;
  }

  private async ask(): Promise<void> {
    const { issuers } = await this.nats.request(authorityList, {}, { timeoutMs: TIMEOUT_MS });
    const named = issuers.map(({ issuerKeyId, crlPrefix: prefix }) => ({ issuerKeyId, prefix }));
    if (JSON.stringify(named) === JSON.stringify(this.known)) return;
    await this.database.transaction(async (tx) => {
      await tx.query('DELETE FROM crl_issuers WHERE NOT issuer_key_id = ANY($1)', [
        named.map((each) => each.issuerKeyId),
      ]);
      for (const { issuerKeyId, prefix } of named) {
        await tx.query('INSERT INTO crl_issuers (issuer_key_id, prefix) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
          issuerKeyId,
          prefix,
        ]);
      }
    });
    this.known = named;
  }
}
