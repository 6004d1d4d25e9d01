import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { RevocationReason } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { OperatorAdmission } from '@outrider/platform/admission';
import { operatorAttributes } from '@outrider/platform/policy';
import { Database } from '@outrider/platform/postgres';
import { currentTrace } from '@outrider/platform/service';
import { Certificates } from '../certificate/certificates.repository.js';
import { askerOf, OutOfServicePolicy } from '../revoke/out-of-service-policy.service.js';
import { parseReason } from '../revoke/reason.js';
import { requireAgreement } from '../revoke/revoke.js';
import { namesOf, type RevokeBody, type RevokeTarget, targetOf, wideTargetOf } from '../revoke/revoke-request.js';
import { isCertificate, Targets } from '../revoke/targets.service.js';
import { addCounts, type Job, type JobTarget, readyState, requireCancellable } from './job.js';
import type { JobLine } from './job-lines.js';
import { JobLines } from './job-lines.repository.js';
import { type JobBody, requireFitting, timeOf } from './job-request.js';
import { JobRunner } from './job-runner.service.js';
import { Jobs, type NewJob } from './jobs.repository.js';

/** So many certificates of one key are revoked in one transaction. */
const AT_ONCE = 500;

export type Operator = Pick<OperatorAdmission, 'subject' | 'scopes' | 'claims'>;

/** Who asks for a job, as it is kept with it. `elevation`: of a second person's approval, where there is one. */
export function requesterOf({ subject, scopes, claims }: Operator) {
  const elevated = scopes.includes('ca:revoke-bulk');
  return {
    requestedBy: subject,
    requestedAs: operatorAttributes(claims),
    elevation: elevated ? (claims.elevation ?? 'unnamed') : undefined,
    traceId: currentTrace()?.traceId,
  };
}

/** Opens jobs of names and of wide targets, and ends them. */
@Injectable()
export class JobsService {
  constructor(
    private readonly database: Database,
    private readonly jobs: Jobs,
    private readonly lines: JobLines,
    private readonly certificates: Certificates,
    private readonly targets: Targets,
    private readonly policy: OutOfServicePolicy,
    private readonly runner: JobRunner,
  ) {}

  /**
   * Wide targets need `ca:revoke-bulk`, unless it is a dry run; names need no more than a revocation at once.
   * @throws DomainError `revocation.elevation_required`, and as a revocation of the same names
   */
  async open(body: JobBody, operator: Operator, now: Date): Promise<Job> {
    requireFitting(body.action, body);
    const reason = body.action === 'revoke' ? parseReason(body.reason) : undefined;
    const wide = wideTargetOf(body);
    const requester = requesterOf(operator);
    if (wide && !requester.elevation && !body.dry_run)
      throw new DomainError('revocation.elevation_required', { detail: `${Object.keys(wide)[0]} names many` });
    const named = wide ? undefined : await this.named(body, reason, operator, now);
    const target: JobTarget = wide ?? named?.target ?? { names: {} };
    const notBefore = timeOf(body.at, now);
    const job: NewJob = {
      id: randomUUID(),
      action: body.action,
      target,
      reason,
      note: body.note,
      force: body.force ?? false,
      dryRun: body.dry_run ?? false,
      state: readyState(target, notBefore ?? null, now),
      createdAt: now,
      notBefore,
      ...requester,
    };
    return this.insert(job, named?.lines ?? []);
  }

  /** For a revocation that is no matter of one transaction: of many, of a key that many have, or for later. Undefined: it is one. */
  async openIfMany(body: RevokeBody, operator: Operator, now: Date): Promise<Job | undefined> {
    const isJob =
      wideTargetOf(body) !== undefined || timeOf(body.at, now) !== undefined || (await this.isOfMany(body, now));
    return isJob ? this.open({ ...body, action: 'revoke' }, operator, now) : undefined;
  }

  private async isOfMany({ key, serial, thumbprint, device_id }: RevokeBody, now: Date): Promise<boolean> {
    if (key === undefined || serial !== undefined || thumbprint !== undefined || device_id !== undefined) return false;
    const found = await this.database.transaction((tx) => this.certificates.related(tx, [], [key], now, AT_ONCE + 1));
    return found.length > AT_ONCE;
  }

  /** What was done stays done. @throws DomainError `revocation.job_not_found`, `revocation.job_closed` */
  async cancel(id: string, by: string): Promise<Job> {
    await this.database.transaction(async (tx) => {
      const job = await this.jobs.mustLock(tx, id);
      if (!requireCancellable(job)) return;
      const cancelled = await this.lines.cancel(tx, id);
      const counts = addCounts(job.counts, cancelled > 0 ? { cancelled } : {});
      await this.jobs.end(tx, id, 'cancelled', counts, by);
    });
    return this.jobs.mustFind(id);
  }

  private async insert(job: NewJob, lines: readonly JobLine[]): Promise<Job> {
    await this.database.transaction(async (tx) => {
      await this.jobs.insert(tx, job);
      await this.lines.add(tx, job.id, lines);
      if (lines.length > 0) await this.jobs.resolved(tx, job.id, undefined, lines.length);
    });
    this.runner.kick();
    return this.jobs.mustFind(job.id);
  }

  /** What names say now: a schedule is of the certificate that was meant when it was made. */
  private async named(
    body: JobBody,
    reason: RevocationReason | undefined,
    operator: Operator,
    now: Date,
  ): Promise<{ target: JobTarget; lines: JobLine[] }> {
    const target = targetOf(body);
    const isKnown = await this.targets.learn(target, (body.force ?? false) || body.action === 'release');
    const isKey = !isCertificate(target) && !target.deviceId && target.keyThumbprint !== undefined;
    // Of a key that many may have, a second person's word is for the whole, as it is at the job's turns.
    if (!isKey || !requesterOf(operator).elevation) {
      const action = body.action === 'revoke' ? 'revoke' : 'unblock';
      await this.policy.requireNotForbidden(action, target, reason, askerOf(operator), now);
    }
    const certificate = isKnown ? await this.database.transaction((tx) => this.targets.named(tx, target)) : undefined;
    if (certificate) requireAgreement(target, certificate.ref);
    if (!isCertificate(target) && !target.deviceId && target.keyThumbprint)
      return { target: { key: target.keyThumbprint }, lines: [] };
    const meant: RevokeTarget = certificate ? { thumbprint: certificate.ref.thumbprint } : target;
    return { target: { names: namesOf(target) }, lines: linesOf(meant) };
  }
}

function linesOf({ thumbprint, serialNumber, deviceId }: RevokeTarget): JobLine[] {
  const lines: Omit<JobLine, 'line'>[] = thumbprint
    ? [{ kind: 'thumbprint', value: thumbprint }]
    : serialNumber
      ? [{ kind: 'serial', value: serialNumber }]
      : deviceId
        ? [{ kind: 'device', value: deviceId }]
        : [];
  return lines.map((line, i) => ({ ...line, line: i + 1 }));
}
