import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Schedule } from '@outrider/platform/service';
import { PresenceRepository } from './presence.repository.js';

/** How old what is said of a vehicle's connection may be. */
const SAVE_MS = 10_000;
/** Of one vehicle, on one instance. */
const MOST_AT_ONCE = 32;
const AGAIN_SECONDS = 5;

/** Which vehicles are connected here, and since when those are gone that were. */
@Injectable()
export class Presence implements OnApplicationBootstrap {
  private readonly here = new Map<DeviceId, number>();
  private readonly left = new Map<DeviceId, Date>();

  constructor(
    private readonly repository: PresenceRepository,
    private readonly schedule: Schedule,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule.every(SAVE_MS, 'presence cannot be saved', () => this.save(new Date()));
  }

  /**
   * Each look of each connection costs everybody: a vehicle has one, and a few that it has forgotten.
   * @throws DomainError `request.too_many`
   */
  requireRoom(deviceId: DeviceId): void {
    if ((this.here.get(deviceId) ?? 0) < MOST_AT_ONCE) return;
    const detail = `${MOST_AT_ONCE} connections of this vehicle wait for commands`;
    throw new DomainError('request.too_many', { detail, retryAfterSeconds: AGAIN_SECONDS });
  }

  /** Returns what to call when the connection ends. */
  arrived(deviceId: DeviceId): () => void {
    this.here.set(deviceId, (this.here.get(deviceId) ?? 0) + 1);
    return () => {
      const others = (this.here.get(deviceId) ?? 1) - 1;
      if (others > 0) this.here.set(deviceId, others);
      else this.here.delete(deviceId);
      this.left.set(deviceId, new Date());
    };
  }

  async save(now: Date): Promise<void> {
    const seen = new Map(this.left);
    for (const deviceId of this.here.keys()) seen.set(deviceId, now);
    await this.repository.save(seen);
    for (const [deviceId, at] of this.left)
      if (seen.get(deviceId) === at || this.here.has(deviceId)) this.left.delete(deviceId);
  }
}
