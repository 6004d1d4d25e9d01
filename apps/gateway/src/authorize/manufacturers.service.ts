import { Inject, Injectable } from '@nestjs/common';
import { DeviceId } from '@outrider/ids';
import { LOGGER, type Logger } from '@outrider/platform/service';
import { LRUCache } from 'lru-cache';
import { Devices } from '../device/devices.repository.js';

const REMEMBERED = 200_000;
const REMEMBERED_MS = 600_000;
const AWAY_MS = 1_000;

/** Whose vehicle a device is, as the projection of the registry says. */
@Injectable()
export class Manufacturers {
  private readonly names = new LRUCache<string, { readonly name: string | null }>({
    max: REMEMBERED,
    ttl: REMEMBERED_MS,
  });
  private awayUntilMs = 0;

  constructor(
    private readonly devices: Devices,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Null: nobody knows; undefined: not looked for yet. */
  known(deviceId: string): string | null | undefined {
    return this.names.get(deviceId)?.name;
  }

  /** Null where nobody knows, and while the database is away: then the limits of device and network hold alone. */
  async find(deviceId: string): Promise<string | null> {
    if (performance.now() < this.awayUntilMs) return null;
    try {
      const name = (await this.devices.manufacturerOf(DeviceId.parse(deviceId))) ?? null;
      this.names.set(deviceId, { name });
      return name;
    } catch (error) {
      this.awayUntilMs = performance.now() + AWAY_MS;
      this.logger.warn({ err: error }, 'manufacturers cannot be looked up');
      return null;
    }
  }
}
