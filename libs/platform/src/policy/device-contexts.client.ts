import { Injectable } from '@nestjs/common';
import { type DeviceContext, deviceContextGet } from '@outrider/contracts';
import type { DeviceId } from '@outrider/ids';
import { LRUCache } from 'lru-cache';
import { Nats } from '../nats/nats.client.js';

const ASK_TIMEOUT_MS = 1000;
/** How old an answer may be: a vehicle that is asked about again and again costs gateway one question a second. */
const KEEP_MS = 1000;

/** What gateway knows of a vehicle, for decisions by policies; one question at a time a vehicle. */
@Injectable()
export class DeviceContexts {
  private readonly kept = new LRUCache<DeviceId, Promise<DeviceContext>>({ max: 20_000, ttl: KEEP_MS });

  constructor(private readonly nats: Nats) {}

  /** @throws DomainError `provisioning.device_not_found`; `service.upstream_unavailable` and the like while nobody knows: fail closed */
  get(deviceId: DeviceId, timeoutMs: number = ASK_TIMEOUT_MS): Promise<DeviceContext> {
    const kept = this.kept.get(deviceId);
    if (kept) return kept;
    const asked = this.nats.request(deviceContextGet, { deviceId }, { timeoutMs });
    this.kept.set(deviceId, asked);
    // A failure is nobody's knowledge: the next one asks again.
    asked.catch(() => {
      if (this.kept.peek(deviceId) === asked) this.kept.delete(deviceId);
    });
    return asked;
  }
}
