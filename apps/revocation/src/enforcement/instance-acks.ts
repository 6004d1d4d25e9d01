/** Decides who enforces a sequence, who still has to, and who is waited for: instances by their leases and acknowledgements. Times in monotonic milliseconds. */
import type { InstanceId } from '@outrider/ids';

interface Ack {
  readonly sequence: number;
  readonly atMs: number;
}

/** What is known of one instance. `acks`: the latest last; each higher than the one before. */
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
  acknowledged(instance: InstanceId, sequence: number, nowMs: number): void {
    const known = this.#of(instance);
    known.leaseMs = nowMs;
    if (sequence <= (known.acks.at(-1)?.sequence ?? -1)) return;
    known.acks.push({ sequence, atMs: nowMs });
    if (known.acks.length > ACKS_KEPT) known.acks.shift();
  }

  /**
   * Who enforces `sequence`; an instance without a lease for longer than it trusts its list fails closed, or is dead.
   * `ms`: from `sinceMs`, the commit, to the word of it; 0 where it came before.
   */
  standing(sequence: number, sinceMs: number, nowMs: number): Standing {
    const standing: Standing = { enforcedBy: [], pending: [] };
    for (const [instance, { leaseMs, acks }] of [...this.#known].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const ack = acks.find((candidate) => candidate.sequence >= sequence);
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
