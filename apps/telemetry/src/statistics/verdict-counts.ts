/** Counts of refused and repeated messages between two writes, bounded. */
import type { DeviceId } from '@outrider/ids';

export interface VerdictCount {
  readonly deviceId: DeviceId;
  readonly verdict: string;
  readonly count: number;
}

export class VerdictCounts {
  private counts = new Map<string, { deviceId: DeviceId; verdict: string; count: number }>();

  constructor(private readonly maxEntries: number) {}

  /** False where there is no room for one more kind. */
  add(deviceId: DeviceId, verdict: string, count = 1): boolean {
    const key = `${deviceId} ${verdict}`;
    const known = this.counts.get(key);
    if (known) known.count += count;
    else if (this.counts.size >= this.maxEntries) return false;
    else this.counts.set(key, { deviceId, verdict, count });
    return true;
  }

  /** All of them; what is added from here on is new. */
  take(): VerdictCount[] {
    const taken = [...this.counts.values()];
    this.counts = new Map();
    return taken;
  }
}
