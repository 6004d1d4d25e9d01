import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { OperatorAdmission } from '@outrider/platform/admission';
import { requireSameRequest } from '@outrider/platform/http';
import { elevateRequest, Forbids, operatorAttributes, Policies } from '@outrider/platform/policy';
import { Database } from '@outrider/platform/postgres';
import { CONFIG } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import type { TokenConfig } from '../config.js';
import { DeniedTokens } from '../denied-tokens/denied-tokens.service.js';
import { OperatorAccountRepository } from '../operator-client/operator-account.repository.js';
import {
  approve,
  asksTheSame,
  type Decision,
  type Elevation,
  type ElevationBody,
  reject,
  requestElevation,
  requireFewOpen,
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
    private readonly policies: Policies,
    private readonly forbids: Forbids,
  ) {}

  /**
   * `keyed`: its id where the request has an Idempotency-Key; one that is there already is given as it is by now.
   * @throws DomainError `elevation.not_allowed`, `.too_many`, `request.idempotency_mismatch`, `auth.role_insufficient` for an account that
   * is switched off
   */
  request(operator: OperatorAdmission, body: ElevationBody, keyed: string | undefined, now: Date): Promise<Elevation> {
    return this.database.transaction(async (tx) => {
      const by = await this.accounts.mustFind(tx, operator.subject);
      const elevation = requestElevation(by, body, { elevationId: keyed ?? randomUUID(), now });
      const made = keyed === undefined ? undefined : await this.elevations.findAlone(tx, keyed);
      if (made) {
        requireSameRequest(asksTheSame(made, elevation));
        return made;
      }
      requireFewOpen(await this.elevations.countOpen(tx, by.id, now));
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

  /** @throws DomainError `elevation.not_found`, `.closed`, `.same_person`, `policy.denied`, `policy.unavailable` */
  approve(elevationId: string, operator: OperatorAdmission, reason: string | undefined, now: Date): Promise<Elevation> {
    return this.step(elevationId, operator, reason, now, 'approved', (before, decision) => {
      const approved = approve(before, decision);
      this.requireAllowed(before, operator, now);
      return approved;
    });
  }

  /** @throws DomainError `elevation.not_found`, `.closed` */
  reject(elevationId: string, operator: OperatorAdmission, reason: string | undefined, now: Date): Promise<Elevation> {
    return this.step(elevationId, operator, reason, now, 'rejected', reject);
  }

  /**
   * First no more tokens come of it, then those that did are denied everywhere. Where that fails the answer is 503; it is asked for
   * until it is done, whether or not somebody asks again.
   * @throws DomainError `elevation.not_found`, `.closed`, `auth.scope_insufficient`, `service.upstream_unavailable`
   */
  async revoke(
    elevationId: string,
    operator: OperatorAdmission,
    reason: string | undefined,
    now: Date,
  ): Promise<Elevation> {
    const others = operator.scopes.includes('elevation:approve');
    const elevation = await this.step(
      elevationId,
      operator,
      reason,
      now,
      'revoked',
      (before, decision) => revoke(before, decision, others),
      (tx) => this.oweTokens(tx, elevationId, now),
    );
    await this.denied.settle();
    return elevation;
  }

  private step(
    elevationId: string,
    { subject }: OperatorAdmission,
    reason: string | undefined,
    now: Date,
    event: 'approved' | 'rejected' | 'revoked',
    decide: (before: Elevation, decision: Decision) => Elevation,
    also: (tx: EntityManager) => Promise<void> = async () => undefined,
  ): Promise<Elevation> {
    return this.database.transaction(async (tx) => {
      const by = await this.accounts.mustFind(tx, subject);
      const before = await this.elevations.mustLock(tx, elevationId);
      const after = decide(before, { by, reason, now });
      await also(tx);
      if (after === before) return before;
      await this.elevations.save(tx, after);
      await this.elevations.note(tx, elevationId, { event, who: subject, why: reason ?? null, at: now });
      return after;
    });
  }

  /** No token comes of it any more: whoever issues one holds the row that `step` has locked. */
  private async oweTokens(tx: EntityManager, elevationId: string, now: Date): Promise<void> {
    const skewMs = this.config.tokenSkewSeconds * 1000;
    const live = await this.elevations.liveTokens(tx, elevationId, new Date(now.getTime() - skewMs));
    await this.denied.owe(tx, live, 'its elevation was ended');
  }

  /**
   * Closed while no policies are in force, as everything that they guard is; but for the right to change policies, by which what is
   * wrong with them is put right: only a policy that forbids it refuses that.
   */
  private requireAllowed(
    { accountId, roles, scope, durationSeconds }: Elevation,
    { subject, claims }: OperatorAdmission,
    now: Date,
  ) {
    const requester = { subject: `op:${accountId}`, roles };
    const request = elevateRequest(
      { subject, operator: operatorAttributes(claims) },
      requester,
      { scope, durationSeconds },
      now,
    );
    if (scope === 'policy:write') this.forbids.requireNone(request);
    else this.policies.require(request);
  }
}
