/** What vehicles say of themselves while the platform is restarted: which messages were acknowledged, and how long each vehicle was refused. */

export interface VehicleSays {
  readonly at: string;
  readonly device: string;
  readonly event: string;
  readonly [member: string]: unknown;
}

export interface Outage {
  readonly device: string;
  readonly atMs: number;
  /** Infinity while it lasts. */
  readonly ms: number;
  /** The service, and in what way it refused. */
  readonly code: string;
}

const TROUBLE = new Set(['offline', 'denied', 'token_refused', 'failed', 'refused', 'held', 'epoch_raised']);
/** Any of them: the vehicle goes on. */
const RELIEF = new Set(['online', 'accepted', 'duplicate', 'stream_open']);

export class Ledger {
  /** `device/seq`, each acknowledged as accepted or as a duplicate. */
  readonly acknowledged = new Set<string>();
  readonly enrolled = new Set<string>();
  readonly streaming = new Set<string>();
  /** By the command's id: when its outcome was delivered. */
  readonly outcomes = new Map<string, number>();
  readonly counts = new Map<string, number>();
  private readonly ended: Outage[] = [];
  private readonly open = new Map<string, Outage>();

  take(says: VehicleSays): void {
    const { device, event } = says;
    const atMs = Date.parse(says.at);
    this.counts.set(event, (this.counts.get(event) ?? 0) + 1);
    if (event === 'enrolled') this.enrolled.add(device);
    if (event === 'stream_open') this.streaming.add(device);
    if (event === 'outcome_delivered') this.outcomes.set(String(says.id), atMs);
    if (event === 'accepted' || event === 'duplicate') {
      for (let seq = Number(says.seq); seq <= Number(says.upTo); seq += 1) this.acknowledged.add(`${device}/${seq}`);
    }
    if (TROUBLE.has(event) && !this.open.has(device)) {
      const code = [says.service ?? says.what ?? says.scope, says.code ?? says.kind ?? says.verdict, event];
      this.open.set(device, { device, atMs, ms: Number.POSITIVE_INFINITY, code: code.filter(Boolean).join(' ') });
    }
    const outage = this.open.get(device);
    if (!outage || !RELIEF.has(event)) return;
    this.open.delete(device);
    this.ended.push({ ...outage, ms: atMs - outage.atMs });
  }

  /** Those that began since, the longest first. */
  outages(sinceMs: number): Outage[] {
    return [...this.ended, ...this.open.values()]
      .filter(({ atMs }) => atMs >= sinceMs)
      .sort((one, other) => other.ms - one.ms);
  }
}

/** How many of each. */
export function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).sort(([, one], [, other]) => other - one));
}
