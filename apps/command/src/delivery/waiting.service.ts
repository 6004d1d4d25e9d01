import { type BeforeApplicationShutdown, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { deliveryOffered } from '@outrider/contracts';
import type { DeviceId } from '@outrider/ids';
import { Subscriptions } from '@outrider/platform/nats';

/** The vehicles that wait on this instance. An offer on NATS wakes them wherever they are: no routing table of ours. */
@Injectable()
export class Waiting implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly waiters = new Map<string, Set<() => void>>();
  /** True once the instance stops: answer what is there and let the vehicle go elsewhere. */
  stopping = false;

  constructor(private readonly subscriptions: Subscriptions) {}

  onApplicationBootstrap(): void {
    this.subscriptions.hear(deliveryOffered, (_offer, deviceId) => this.wake(deviceId!));
  }

  /** Lets every long poll answer at once, so that a stopping instance keeps no vehicle waiting. */
  beforeApplicationShutdown(): void {
    this.stopping = true;
    for (const deviceId of this.waiters.keys()) this.wake(deviceId);
  }

  /** Resolves when something is offered to the device, after `ms`, or when `signal` aborts. */
  forOffer(deviceId: DeviceId, ms: number, signal: AbortSignal): Promise<void> {
    if (this.stopping || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const waiters = this.waiters.get(deviceId) ?? new Set();
      this.waiters.set(deviceId, waiters);
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        waiters.delete(done);
        if (waiters.size === 0) this.waiters.delete(deviceId);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
      waiters.add(done);
    });
  }

  private wake(deviceId: string): void {
    for (const done of [...(this.waiters.get(deviceId) ?? [])]) done();
  }
}
