import { Inject, Injectable } from '@nestjs/common';
import { type DeviceSnapshot, deviceGet } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Nats } from '@outrider/platform/nats';
import { LOGGER } from '@outrider/platform/service';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { type DeviceKnowledge, worthAsking } from './device.js';
import { DeviceRepository } from './device.repository.js';

const ASK_TIMEOUT_MS = 1000;
/** Events reach one replica of several: the others' memory is at most this old. What must end at once is on the denylist. */
const MEMORY_MS = 30_000;
const MEMORY_DEVICES = 200_000;

interface Remembered {
  readonly device: DeviceKnowledge;
  readonly readAt: number;
}

/** What is known of a device: projection first, then provisioning itself, one question at a time a device. */
@Injectable()
export class DeviceService {
  private readonly memory = new LRUCache<DeviceId, Remembered>({ max: MEMORY_DEVICES });
  private readonly asking = new Map<DeviceId, Promise<DeviceKnowledge>>();

  constructor(
    private readonly devices: DeviceRepository,
    private readonly nats: Nats,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async save(device: DeviceSnapshot): Promise<void> {
    await this.devices.save(device);
    this.memory.delete(device.deviceId);
  }

  /** For control: the database's word of this moment. Throws `service.unavailable` when it is away; `unknown` when provisioning is. */
  async current(deviceId: DeviceId): Promise<DeviceKnowledge> {
    const known = (await this.devices.find(deviceId)) ?? 'unknown';
    return worthAsking(known) ? this.ask(deviceId) : known;
  }

  /** For telemetry: from memory where it is young; never fails: with everything away the last known, else `unknown`. */
  async remembered(deviceId: DeviceId): Promise<DeviceKnowledge> {
    const last = this.memory.get(deviceId);
    if (last && performance.now() - last.readAt < MEMORY_MS) return last.device;
    const known = (await this.findOrLast(deviceId, last?.device)) ?? 'unknown';
    if (!worthAsking(known)) return this.remember(deviceId, known);
    const answer = await this.ask(deviceId);
    return answer === 'unknown' ? known : this.remember(deviceId, answer);
  }

  private remember(deviceId: DeviceId, device: DeviceKnowledge): DeviceKnowledge {
    if (device !== 'not_registered') this.memory.set(deviceId, { device, readAt: performance.now() });
    return device;
  }

  private async findOrLast(
    deviceId: DeviceId,
    last: DeviceKnowledge | undefined,
  ): Promise<DeviceKnowledge | undefined> {
    try {
      return await this.devices.find(deviceId);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      return last;
    }
  }

  private ask(deviceId: DeviceId): Promise<DeviceKnowledge> {
    const asked = this.asking.get(deviceId);
    if (asked) return asked;
    const asking = this.askRegistry(deviceId).finally(() => this.asking.delete(deviceId));
    this.asking.set(deviceId, asking);
    return asking;
  }

  private async askRegistry(deviceId: DeviceId): Promise<DeviceKnowledge> {
    try {
      const { device } = await this.nats.request(deviceGet, { deviceId }, { timeoutMs: ASK_TIMEOUT_MS });
      // The answer holds whether or not the projection can be written just now; the event brings it again.
      await this.devices.save(device).catch((error) => this.logger.warn({ err: error, deviceId }, 'device not kept'));
      return device;
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      if (error.code === 'provisioning.device_not_found') return 'not_registered';
      this.logger.warn({ code: error.code, deviceId }, 'the device registry does not answer');
      return 'unknown';
    }
  }
}
