import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { OperatorAdmission } from '@outrider/platform/admission';
import { Database } from '@outrider/platform/postgres';
import { CONFIG } from '@outrider/platform/service';
import type { TokenConfig } from '../config.js';
import { DeniedTokens } from '../denied-tokens/denied-tokens.service.js';
import { OperatorAccountRepository } from '../operator-client/operator-account.repository.js';
import {
  approve,
  type Decision,
  type Elevation,
  type ElevationBody,
  reject,
  requestElevation,
  revoke,
} from './elevation.js';
import { Elevations } from './elevations.repository.js';

/** Asks for, grants and ends rights that nobody holds for good; every step is in the history. */
@Injectable()
export class ElevationService {
  constructor(
    @Inject(CONFIG) private readonly config: TokenConfig,
    private readonly database: Database,
    private readonly elevations: Elevations,
    private readonly accounts: OperatorAccountRepository,
    private readonly denied: DeniedTokens,
  ) {}

  /** @throws DomainError `elevation.not_allowed`, `auth.role_insufficient` for an account that is switched off */
  request(operator: OperatorAdmission, body: ElevationBody, now: Date): Promise<Elevation> {
    return this.database.transaction(async (tx) => {
      const by = await this.accounts.mustFind(tx, operator.subject);
      const elevation = requestElevation(by, body, { elevationId: randomUUID(), now });
      await this.elevations.add(tx, elevation);
      const why = elevation.reason;
      await this.elevations.note(tx, elevation.elevationId, {
        event: 'requested',
        who: operator.subject,
        why,
        at: now,
      });
      return elevation;
    });
  }

  /** @throws DomainError `elevation.not_found`, `.closed`, `.same_person` */
  approve(elevationId: string, operator: OperatorAdmission, reason: string | undefined, now: Date): Promise<Elevation> {
    return this.step(elevationId, operator, reason, now, 'approved', approve);
  }

  /** @throws DomainError `elevation.not_found`, `.closed` */
  reject(elevationId: string, operator: OperatorAdmission, reason: string | undefined, now: Date): Promise<Elevation> {
    return this.step(elevationId, operator, reason, now, 'rejected', reject);
  }

  /**
   * First no more tokens come of it, then those that did are denied everywhere. Where that fails the answer is 503 and asking again
   * finishes it.
   * @throws DomainError `elevation.not_found`, `.closed`, `auth.scope_insufficient`, `service.upstream_unavailable`
   */
  async revoke(
    elevationId: string,
    operator: OperatorAdmission,
    reason: string | undefined,
    now: Date,
  ): Promise<Elevation> {
    const others = operator.scopes.includes('elevation:approve');
    const elevation = await this.step(elevationId, operator, reason, now, 'revoked', (before, decision) =>
      revoke(before, decision, others),
    );
    await this.denyTokens(elevationId, now);
    return elevation;
  }

  private step(
    elevationId: string,
    { subject }: OperatorAdmission,
    reason: string | undefined,
    now: Date,
    event: 'approved' | 'rejected' | 'revoked',
    decide: (before: Elevation, decision: Decision) => Elevation,
  ): Promise<Elevation> {
    return this.database.transaction(async (tx) => {
      const by = await this.accounts.mustFind(tx, subject);
      const before = await this.elevations.mustLock(tx, elevationId);
      const after = decide(before, { by, reason, now });
      if (after === before) return before;
      await this.elevations.save(tx, after);
      await this.elevations.note(tx, elevationId, { event, who: subject, why: reason ?? null, at: now });
      return after;
    });
  }

  private async denyTokens(elevationId: string, now: Date): Promise<void> {
    const skewMs = this.config.tokenSkewSeconds * 1000;
    const live = await this.elevations.liveTokens(elevationId, new Date(now.getTime() - skewMs));
    await this.denied.deny(live, 'its elevation was ended');
  }
}
