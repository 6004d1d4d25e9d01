import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { deliveryOffered, streamRenewed } from '@outrider/contracts';
import type { DeviceId } from '@outrider/ids';
import { Nats, Subscriptions } from '@outrider/platform/nats';
import { Drain } from '@outrider/platform/service';

/** A vehicle that polls is back soon: its interest is kept meanwhile, so that nothing offered in between is missed. */
const LINGER_MS = 60_000;
/** For the server to hear of an interest; without NATS the looks by time are all there is. */
const REACHED_MS = 500;

type Renewal = (streamId: string, authorization: string) => void;

interface Present {
  readonly waiters: Set<() => void>;
  /** The server knows that this instance wants to hear of the device. */
  readonly known: Promise<void>;
  readonly end: () => void;
  linger: NodeJS.Timeout | undefined;
}

/**
 * The vehicles that wait on this instance. Each has its own interest on NATS, so that an offer reaches the instance that holds the
 * vehicle's connection and no other: no routing table of ours.
 */
@Injectable()
export class Interest implements BeforeApplicationShutdown {
  private readonly devices = new Map<DeviceId, Present>();
  private renewal: Renewal = () => undefined;
  private readonly left = new Set<DeviceId>();
  private stopping = false;

  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly nats: Nats,
    drain: Drain,
  ) {
    drain.events.on('leaving', (withinMs) => this.leave(withinMs));
  }

  /** Lets every wait end at once, so that a stopping instance keeps no vehicle waiting. */
  beforeApplicationShutdown(): void {
    this.stopping = true;
    for (const [deviceId, { linger }] of this.devices) {
      clearTimeout(linger);
      this.wake(deviceId);
    }
  }

  /** True once the vehicle is to go elsewhere: answer what is there and end its wait. */
  isEnding(deviceId: DeviceId): boolean {
    return this.stopping || this.left.has(deviceId);
  }

  /** One after the other: all at once they would come to the other instances all at once. Who comes in meanwhile stays until the stop. */
  private leave(withinMs: number): void {
    const here = [...this.devices].filter(([, { waiters }]) => waiters.size > 0);
    for (const [index, [deviceId]] of here.entries()) {
      setTimeout(
        () => {
          this.left.add(deviceId);
          this.wake(deviceId);
        },
        (withinMs * index) / here.length,
      );
    }
  }

  onRenewal(renewal: Renewal): void {
    this.renewal = renewal;
  }

  /** Vehicles that wait here now, or did a moment ago. */
  get size(): number {
    return this.devices.size;
  }

  /** Whether the vehicle waits here now. */
  has(deviceId: DeviceId): boolean {
    return (this.devices.get(deviceId)?.waiters.size ?? 0) > 0;
  }

  /** From when this resolves, no offer to the device is missed. */
  async in(deviceId: DeviceId): Promise<void> {
    this.left.delete(deviceId);
    await this.present(deviceId).known;
  }

  /** Resolves when something is offered to the device, after `ms`, or when `signal` aborts. */
  wait(deviceId: DeviceId, ms: number, signal: AbortSignal): Promise<void> {
    if (this.isEnding(deviceId) || signal.aborted) return Promise.resolve();
    const present = this.present(deviceId);
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        present.waiters.delete(done);
        if (present.waiters.size === 0) this.lingering(deviceId, present);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
      present.waiters.add(done);
    });
  }

  wake(deviceId: DeviceId): void {
    for (const done of [...(this.devices.get(deviceId)?.waiters ?? [])]) done();
  }

  private present(deviceId: DeviceId): Present {
    const known = this.devices.get(deviceId);
    if (known) {
      clearTimeout(known.linger);
      return known;
    }
    const ends = [
      this.subscriptions.hearOf(deliveryOffered, deviceId, () => this.wake(deviceId)),
      this.subscriptions.hearOf(streamRenewed, deviceId, ({ streamId, authorization }) =>
        this.renewal(streamId, authorization),
      ),
    ];
    const end = () => {
      for (const each of ends) each();
    };
    const present: Present = { waiters: new Set(), known: this.nats.reached(REACHED_MS), end, linger: undefined };
    this.devices.set(deviceId, present);
    this.lingering(deviceId, present);
    return present;
  }

  private lingering(deviceId: DeviceId, present: Present): void {
    clearTimeout(present.linger);
    if (this.stopping) return;
    present.linger = setTimeout(() => {
      if (present.waiters.size > 0) return;
      this.devices.delete(deviceId);
      present.end();
    }, LINGER_MS);
    present.linger.unref();
  }
}
