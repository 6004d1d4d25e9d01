import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { CONFIG } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import { Certificates } from '../certificate/certificates.repository.js';
import type { Config } from '../config.js';
import { CrlPublisher } from '../crl/crl-publisher.service.js';
import { DenylistRepository } from '../denylist/denylist.repository.js';
import { ReleaseService } from '../hold/release.service.js';
import { Descendants } from '../revoke/descendants.service.js';
import { OutOfServicePolicy } from '../revoke/out-of-service-policy.service.js';
import type { RevokeTarget } from '../revoke/revoke-request.js';
import { SaveRevocation } from '../revoke/save-revocation.service.js';
import { Targets } from '../revoke/targets.service.js';
import { releaseLines, revokeLines, type Settled } from './decide-lines.js';
import { addCounts, BULK_ABOVE, type JobCounts, type Outcome } from './job.js';
import { JobLines } from './job-lines.repository.js';
import { Jobs, type StoredJob } from './jobs.repository.js';
import type { Known, Line } from './world.js';

/** So many lines a transaction: whoever revokes something alone waits for one at most. */
const CHUNK = 500;
/** Where each line is asked about: no turn outlasts its lease. */
const ASKED = 64;
const ASK_AT_ONCE = 8;
const AGAIN_MS = 5000;

export interface Worked {
  readonly settled: number;
  /** Nothing is left that could be tried now. */
  readonly isOver: boolean;
  readonly trouble?: string | undefined;
}

interface Asked {
  readonly settled: Settled[];
  readonly forced: Line[];
  readonly later: number[];
  /** Not in this turn. */
  readonly left: number[];
  trouble: string | undefined;
}

/** One turn of a job: some of its lines, decided and saved in one transaction. */
@Injectable()
export class JobChunk {
  private readonly entryGraceMs: number;

  constructor(
    private readonly database: Database,
    private readonly jobs: Jobs,
    private readonly lines: JobLines,
    private readonly certificates: Certificates,
    private readonly lock: DenylistRepository,
    private readonly targets: Targets,
    private readonly policy: OutOfServicePolicy,
    private readonly descendants: Descendants,
    private readonly saveRevocation: SaveRevocation,
    private readonly releases: ReleaseService,
    private readonly crls: CrlPublisher,
    @Inject(CONFIG) config: Config,
  ) {
    this.entryGraceMs = (config.denylist.renewalGraceSeconds + config.denylist.skewSeconds) * 1000;
  }

  async work(job: StoredJob, runner: string): Promise<Worked> {
    const lines = await this.lines.left(job.id, job.elevation === null ? ASKED : CHUNK);
    if (lines.length === 0) return { settled: 0, isOver: true };
    const asked = await this.ask(job, lines, new Date());
    await this.lines.postpone(job.id, asked.later, AGAIN_MS);
    const aside = new Set([
      ...asked.settled.map(({ line }) => line),
      ...asked.forced.map(({ line }) => line),
      ...asked.later,
      ...asked.left,
    ]);
    const rest = lines.filter(({ line }) => !aside.has(line));
    if (asked.settled.length + asked.forced.length + rest.length === 0)
      return { settled: 0, isOver: false, trouble: asked.trouble };
    const settled = await this.database.transaction(async (tx) => {
      if (!job.dryRun) await this.lock.lock(tx);
      const held = await this.jobs.hold(tx, job, runner);
      if (!held) return 0;
      const done = await this.decide(tx, held, rest, asked.forced, await this.lock.time(tx));
      const all = [...asked.settled, ...done.settled];
      await this.lines.settle(tx, job.id, all);
      const counts = addCounts(addCounts(held.counts, done.counts), countsOf(asked.settled));
      await this.jobs.progress(tx, job.id, { counts, sequence: done.sequence });
      return all.length;
    });
    return { settled, isOver: false };
  }

  /** The lists of what a large job changed are made anew at its end. */
  finished(job: StoredJob): void {
    if (!job.dryRun && isBulk(job)) this.crls.publishSoon();
  }

  private async decide(tx: EntityManager, job: StoredJob, lines: readonly Line[], forced: readonly Line[], now: Date) {
    const known = await this.known(tx, lines, now);
    const bulk = isBulk(job) || undefined;
    if (job.action === 'release') {
      const { settled, decided, counts } = releaseLines(lines, known, now);
      const note = job.note ?? undefined;
      const sequence = job.dryRun ? 0 : await this.releases.save(tx, decided, note, job.requestedBy, now, { bulk });
      return { settled, counts, sequence };
    }
    const reason = job.reason ?? 'unspecified';
    const { settled, decided, counts } = revokeLines(lines, known, reason, this.entryGraceMs, now);
    const descended = await this.descendants.of(tx, decided, now);
    let sequence = 0;
    if (!job.dryRun) {
      sequence = await this.saveRevocation.save(tx, [...decided, ...descended], job.requestedBy, now, { bulk });
      for (const line of forced)
        sequence = Math.max(
          sequence,
          await this.saveRevocation.saveForced(tx, targetOf(line), reason, job.requestedBy, now),
        );
    }
    const byForce = forced.map(({ line }) => ({ line, outcome: 'revoked' as const, detail: 'by force' }));
    const further = descended.flatMap(({ fresh }) => fresh).length;
    const all = addCounts(addCounts(counts, countsOf(byForce)), further > 0 ? { certificates: further } : {});
    return { settled: [...settled, ...byForce], counts: all, sequence };
  }

  private async known(tx: EntityManager, lines: readonly Line[], now: Date): Promise<Known> {
    const values = (kind: Line['kind']) => lines.filter((line) => line.kind === kind).map(({ value }) => value);
    const named = await this.certificates.named(tx, {
      thumbprints: values('thumbprint') as Thumbprint[],
      serials: values('serial') as SerialNumber[],
    });
    const owners = named.flatMap(({ ref }) => (ref.deviceId ? [ref.deviceId] : []));
    const devices = [...new Set([...(values('device') as DeviceId[]), ...owners])];
    const keys = [...new Set([...values('key'), ...named.map(({ ref }) => ref.keyThumbprint)])];
    const related = await this.certificates.related(tx, devices, keys, now);
    return {
      certificates: [...new Map([...named, ...related].map((one) => [one.ref.thumbprint, one])).values()],
      devices: await this.certificates.devices(tx, devices),
      keys: await this.certificates.keys(tx, values('key')),
    };
  }

  /** What is not known here is asked for; what a policy forbids goes no further, where no second person agreed to the whole. */
  private async ask(job: StoredJob, lines: readonly Line[], now: Date): Promise<Asked> {
    const asked: Asked = { settled: [], forced: [], later: [], left: [], trouble: undefined };
    const unknown = await this.lines.unknown(lines);
    const toAsk = job.elevation === null ? lines : lines.filter(({ line }) => unknown.has(line));
    const open = toAsk.slice(0, ASKED);
    asked.left.push(...toAsk.slice(ASKED).map(({ line }) => line));
    for (let from = 0; from < open.length; from += ASK_AT_ONCE) {
      await Promise.all(
        open.slice(from, from + ASK_AT_ONCE).map(async (line) => {
          const verdict = await this.judge(job, line, unknown.has(line.line), now);
          if (verdict === 'forced') asked.forced.push(line);
          else if (verdict && 'later' in verdict) {
            asked.later.push(line.line);
            asked.trouble = verdict.later;
          } else if (verdict) asked.settled.push({ line: line.line, ...verdict });
        }),
      );
    }
    return asked;
  }

  private async judge(
    job: StoredJob,
    line: Line,
    isUnknown: boolean,
    now: Date,
  ): Promise<{ outcome: Outcome; detail?: string | undefined } | { later: string } | 'forced' | undefined> {
    const target = targetOf(line);
    try {
      const isKnown = !isUnknown || (await this.targets.learn(target, job.force));
      if (job.elevation === null) {
        const action = job.action === 'revoke' ? 'revoke' : 'unblock';
        const asker = { subject: job.requestedBy, attributes: job.requestedAs };
        await this.policy.requireNotForbidden(action, target, job.reason ?? undefined, asker, now);
      }
      return isKnown || line.kind === 'device'
        ? undefined
        : job.action === 'revoke'
          ? 'forced'
          : { outcome: 'unknown' };
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      if (error.code === 'revocation.certificate_unknown') return { outcome: 'unknown' };
      if (error.code === 'policy.denied' || error.code === 'revocation.elevation_required')
        return { outcome: 'forbidden', detail: error.detail };
      if (error.status >= 500) return { later: error.code };
      throw error;
    }
  }
}

function isBulk({ lines }: StoredJob): boolean {
  return lines > BULK_ABOVE;
}

function targetOf({ kind, value }: Line): RevokeTarget {
  if (kind === 'thumbprint') return { thumbprint: value as Thumbprint };
  if (kind === 'serial') return { serialNumber: value as SerialNumber };
  return kind === 'device' ? { deviceId: value as DeviceId } : { keyThumbprint: value };
}

function countsOf(settled: readonly Settled[]): JobCounts {
  return settled.reduce<JobCounts>((counts, { outcome }) => addCounts(counts, { [outcome]: 1 }), {});
}
