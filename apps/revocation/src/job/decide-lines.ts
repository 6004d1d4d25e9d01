/** Decides a chunk of a job's lines one after the other, each as if it had been asked for alone after those before it. */
import type { RevocationReason } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { type Release, release } from '../hold/release.js';
import { isGraver, standingReason } from '../revoke/reason.js';
import { type KnownCertificate, type Revocation, revoke } from '../revoke/revoke.js';
import type { JobCounts, Outcome } from './job.js';
import { type Known, type Line, World } from './world.js';

export interface Settled {
  readonly line: number;
  readonly outcome: Outcome;
  readonly detail?: string | undefined;
}

export interface Decided<D> {
  readonly settled: readonly Settled[];
  readonly decided: readonly D[];
  readonly counts: JobCounts;
}

interface Verdict<D> {
  readonly outcome: Outcome;
  readonly detail?: string | undefined;
  readonly decided?: D;
  readonly counts?: JobCounts;
}

/** Lines that name a certificate that is not among the known are `unknown`. */
export function revokeLines(
  lines: readonly Line[],
  known: Known,
  reason: RevocationReason,
  entryGraceMs: number,
  now: Date,
): Decided<Revocation> {
  const world = new World(known, now);
  return each(lines, (line) => {
    const isCertificate = line.kind === 'thumbprint' || line.kind === 'serial';
    const named = isCertificate ? world.named(line) : undefined;
    if (isCertificate && !named) return { outcome: 'unknown' };
    const deviceId = named ? named.ref.deviceId : deviceOf(line);
    const decided = revoke({
      named,
      device: deviceId && world.device(deviceId),
      key: line.kind === 'key' ? world.key(line.value) : undefined,
      related: relatedNews(world, line, named, deviceId, reason),
      reason,
      entryGraceMs,
    });
    world.revoked(decided);
    const counts = countsOf(decided.fresh.length, decided.freshDevice, decided.freshKey);
    const isNews = Object.values(counts).some((n) => n > 0);
    return { outcome: isNews ? 'revoked' : 'unchanged', decided, counts };
  });
}

export function releaseLines(lines: readonly Line[], known: Known, now: Date): Decided<Release> {
  const world = new World(known, now);
  return each(lines, (line) => {
    const isCertificate = line.kind === 'thumbprint' || line.kind === 'serial';
    const named = isCertificate ? world.named(line) : undefined;
    if (isCertificate && !named) return { outcome: 'unknown' };
    const deviceId = deviceOf(line);
    const decided = release({
      named,
      device: deviceId && world.device(deviceId),
      key: line.kind === 'key' ? world.key(line.value) : undefined,
      related: named ? [] : world.related(deviceId, line.kind === 'key' ? line.value : undefined),
    });
    world.released(decided);
    return { outcome: 'released', decided, counts: countsOf(decided.certificates.length, decided.device, decided.key) };
  });
}

/**
 * What goes along and does not stand revoked so already: with a device, its certificates; with a compromised one, those of its device and
 * its key. Of many with one key each is then looked at once.
 */
function relatedNews(
  world: World,
  { kind }: Line,
  named: KnownCertificate | undefined,
  deviceId: DeviceId | undefined,
  asked: RevocationReason,
): KnownCertificate[] {
  const reason = standingReason(asked, named?.reasons ?? []);
  if (kind !== 'device' && reason !== 'keyCompromise') return [];
  return world.related(deviceId, named?.ref.keyThumbprint).filter(({ reasons }) => isGraver(reason, reasons));
}

function deviceOf({ kind, value }: Line): DeviceId | undefined {
  return kind === 'device' ? (value as DeviceId) : undefined;
}

function countsOf(certificates: number, device: unknown, key: unknown): JobCounts {
  return { certificates, devices: device === undefined ? 0 : 1, keys: key === undefined ? 0 : 1 };
}

const REFUSED: Readonly<Record<string, Outcome>> = {
  'revocation.target_conflict': 'conflict',
  'revocation.not_held': 'not_held',
};

function each<D>(lines: readonly Line[], decide: (line: Line) => Verdict<D>): Decided<D> {
  const settled: Settled[] = [];
  const all: D[] = [];
  const counts: Record<string, number> = {};
  for (const line of lines) {
    const { outcome, detail, decided, counts: own = {} } = judged(line, decide);
    settled.push({ line: line.line, outcome, detail });
    if (decided) all.push(decided);
    for (const [name, n] of Object.entries({ [outcome]: 1, ...own })) if (n > 0) counts[name] = (counts[name] ?? 0) + n;
  }
  return { settled, decided: all, counts };
}

function judged<D>(line: Line, decide: (line: Line) => Verdict<D>): Verdict<D> {
  try {
    return decide(line);
  } catch (error) {
    const outcome = error instanceof DomainError ? REFUSED[error.code] : undefined;
    if (!outcome) throw error;
    return { outcome, detail: (error as DomainError).detail };
  }
}
