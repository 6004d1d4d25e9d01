/** Takes samples of the drive at the interval, signs each at its own time, and puts it in the queue. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionService } from '../agent/connection.service.js';
import type { Drive, Measurement } from '../drive/drive.js';
import type { KeyStore } from '../keys/key-store.js';
import { telemetryPayload } from './message.js';
import type { QueueStore } from './queue.store.js';

export interface SamplerOptions {
  readonly drive: Drive;
  /** Asked before each sample: a command may change it. */
  readonly intervalMs: () => number;
  /** How fast the drive's time goes by beside ours. */
  readonly speed: number;
  /** How far back samples are dated: a drive that happened before, out of reach of the platform. */
  readonly datedBackMs: number;
  /** Stop after so many samples; undefined: never. */
  readonly count: number | undefined;
}

export class SamplerService {
  /** The newest sample; what `locate` answers with. */
  latest: Measurement | undefined;

  constructor(
    private readonly queue: QueueStore,
    private readonly keys: KeyStore,
    private readonly connections: ConnectionService,
    private readonly options: SamplerOptions,
    private readonly signal: AbortSignal,
  ) {}

  /** Runs until the signal or the count; `sampled` is called after each record is durable. */
  async run(sampled: () => void): Promise<void> {
    const startedAt = performance.now();
    let nextAt = startedAt;
    for (let taken = 0; taken < (this.options.count ?? Number.POSITIVE_INFINITY); taken += 1) {
      if (this.signal.aborted) return;
      await this.sample(((performance.now() - startedAt) / 1000) * this.options.speed);
      sampled();
      // From the time it was due, not from now: a slow disk does not stretch the drive. What was missed is not made up for.
      nextAt = Math.max(nextAt + this.options.intervalMs(), performance.now() - this.options.intervalMs());
      const waitMs = Math.max(0, nextAt - performance.now());
      await sleep(waitMs, undefined, { signal: this.signal }).catch(() => undefined);
    }
  }

  private async sample(driveSeconds: number): Promise<void> {
    const measurement = this.options.drive.at(driveSeconds);
    this.latest = measurement;
    const { identity } = await this.connections.current();
    const ts = Math.floor((Date.now() - this.options.datedBackMs) / 1000);
    await this.queue.append(ts, async (position) => {
      const payload = telemetryPayload(identity.deviceId, position, ts, measurement);
      const signature = await this.keys.sign(identity.keyName, Buffer.from(payload));
      return { payload, signature: signature.toString('base64url'), thumbprint: identity.thumbprint };
    });
  }
}
