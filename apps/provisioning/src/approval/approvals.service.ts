import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Database } from '@outrider/platform/postgres';
import { CONFIG, LOGGER } from '@outrider/platform/service';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { type Approval, type ApprovalAct, decideApproval } from './approval.js';
import { Approvals } from './approvals.repository.js';

/** What operators decide on enrolments that wait. */
@Injectable()
export class ApprovalService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly database: Database,
    private readonly approvals: Approvals,
  ) {}

  /** Errors: `provisioning.enrolment_not_found`, `provisioning.enrolment_conflict`. */
  decide(id: string, act: ApprovalAct, now: Date): Promise<Approval> {
    return this.database.transaction(async (tx) => {
      const before = await this.approvals.lock(tx, id);
      if (!before) throw new DomainError('provisioning.enrolment_not_found', { detail: id });
      const after = decideApproval(before, act, this.config.approvals, now);
      if (after === before) return before;
      await this.approvals.decided(tx, after);
      this.logger.info(
        { id, deviceId: after.deviceId, decision: act.decision, by: act.by },
        'an enrolment was decided',
      );
      return after;
    });
  }
}
