import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { messageAccepted, subjectOf } from '@outrider/contracts';
import type { DeviceId } from '@outrider/ids';
import { Nats } from '@outrider/platform/nats';

interface Watched {
  readonly subscription: { unsubscribe(): void };
  readonly wake: Set<() => void>;
}

/**
 * Wakes whoever waits for a device's messages, by the events that follow the commits, of all instances. A wake says only that it is time
 * to look: what is shown comes from PostgreSQL, so that nothing is missed, doubled or believed because NATS carried it.
 */
@Injectable()
export class LiveMessages implements BeforeApplicationShutdown {
  private readonly watched = new Map<DeviceId, Watched>();
  /** Aborts when this instance stops. */
  readonly stopping = new AbortController();

  constructor(private readonly nats: Nats) {}

  beforeApplicationShutdown(): void {
    this.stopping.abort();
    for (const { subscription } of this.watched.values()) subscription.unsubscribe();
  }

  /** Calls `wake` after each commit of the device, until what is returned is called. */
  watch(deviceId: DeviceId, wake: () => void): () => void {
    const watched = this.watched.get(deviceId) ?? this.open(deviceId);
    watched.wake.add(wake);
    return () => {
      watched.wake.delete(wake);
      if (watched.wake.size > 0) return;
      watched.subscription.unsubscribe();
      this.watched.delete(deviceId);
    };
  }

  /** One subscription a device, however many watch it; none for those that nobody watches. */
  private open(deviceId: DeviceId): Watched {
    const wake = new Set<() => void>();
    const subscription = this.nats.connection.subscribe(subjectOf(messageAccepted, deviceId), {
      callback: () => {
        for (const one of wake) one();
      },
    });
    const watched = { subscription, wake };
    this.watched.set(deviceId, watched);
    return watched;
  }
}
