/** Decides who enforces a sequence, who still has to, and who is waited for: instances by their leases and acknowledgements. Times in monotonic milliseconds. */
import type { InstanceId } from '@outrider/ids';

/** Everything up to `sequence` is enforced, and what is not of a bulk change up to `urgent`. */
interface Ack {
  readonly sequence: number;
  readonly urgent: number;
  readonly atMs: number;
}

/** What is known of one instance. `acks`: the latest last; each higher than the one before in one of its numbers, and in none lower. */
interface Known {
  leaseMs: number;
  acks: Ack[];
}

export interface Standing {
  readonly enforcedBy: { instance: InstanceId; ms: number }[];
  /** `alive`: its lease is current, so it is worth waiting for. */
  readonly pending: { instance: InstanceId; alive: boolean }[];
}

const ACKS_KEPT = 64;

export class InstanceAcks {
  readonly #known = new Map<InstanceId, Known>();

  /** @param leaseTtlMs after which a lease has lapsed. @param staleMs after which an instance that hears nothing refuses everything by itself. */
  constructor(
    readonly leaseTtlMs: number,
    readonly staleMs: number,
  ) {}

  leased(instance: InstanceId, nowMs: number): void {
    this.#of(instance).leaseMs = nowMs;
  }

  /** It said goodbye: its connections are closed. */
  gone(instance: InstanceId): void {
    this.#known.delete(instance);
  }

  /** An acknowledgement is a sign of life too. */
  acknowledged(instance: InstanceId, sequence: number, nowMs: number, urgent: number = sequence): void {
    const known = this.#of(instance);
    known.leaseMs = nowMs;
    const last = known.acks.at(-1) ?? { sequence: -1, urgent: -1 };
    if (sequence <= last.sequence && urgent <= last.urgent) return;
    known.acks.push({
      sequence: Math.max(sequence, last.sequence),
      urgent: Math.max(urgent, sequence, last.urgent),
      atMs: nowMs,
    });
    if (known.acks.length > ACKS_KEPT) known.acks.shift();
  }

  /**
   * Who enforces `sequence`; an instance without a lease for longer than it trusts its list fails closed, or is dead.
   * `isBulk`: it is of a bulk change, and enforced once everything before it is.
   * `ms`: from `sinceMs`, the commit, to the word of it; 0 where it came before.
   */
  standing(sequence: number, sinceMs: number, nowMs: number, isBulk = false): Standing {
    const standing: Standing = { enforcedBy: [], pending: [] };
    for (const [instance, { leaseMs, acks }] of [...this.#known].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const ack = acks.find((candidate) => (isBulk ? candidate.sequence : candidate.urgent) >= sequence);
      const silentMs = nowMs - leaseMs;
      const alive = silentMs <= this.leaseTtlMs;
      if (ack) {
        if (alive) standing.enforcedBy.push({ instance, ms: Math.max(0, Math.round((ack.atMs - sinceMs) * 10) / 10) });
      } else if (silentMs <= this.staleMs + this.leaseTtlMs) standing.pending.push({ instance, alive });
    }
    return standing;
  }

  /** Forgets instances that cannot matter any more. */
  sweep(nowMs: number): void {
    for (const [instance, { leaseMs }] of this.#known) {
      if (nowMs - leaseMs > this.staleMs + this.leaseTtlMs) this.#known.delete(instance);
    }
  }

  #of(instance: InstanceId): Known {
    const known = this.#known.get(instance) ?? { leaseMs: Number.NEGATIVE_INFINITY, acks: [] };
    this.#known.set(instance, known);
    return known;
  }
}
