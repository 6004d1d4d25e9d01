import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { type DeviceContext, deviceContextGet, deviceGet } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Nats, Subscriptions } from '@outrider/platform/nats';
import { Devices } from '../device/devices.repository.js';
import { membership } from '../geofence/geofence.js';
import { Geofences } from '../geofence/geofences.store.js';
import { merge } from './conditions.js';
import { ConditionsRepository } from './conditions.repository.js';
import { deviceContext, type RegistryWord } from './device-context.js';
import { TelemetryConsumer } from './telemetry.consumer.js';

const ASK_TIMEOUT_MS = 400;

/** Answers what is known of a vehicle, for whoever decides by policies. */
@Injectable()
export class DeviceContextService implements OnApplicationBootstrap {
  constructor(
    private readonly devices: Devices,
    private readonly conditions: ConditionsRepository,
    private readonly telemetry: TelemetryConsumer,
    private readonly geofences: Geofences,
    private readonly nats: Nats,
    private readonly subscriptions: Subscriptions,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.answer(deviceContextGet, ({ deviceId }) => this.get(deviceId, new Date()));
  }

  /** @throws DomainError `provisioning.device_not_found`; `service.unavailable`, `service.upstream_unavailable` where nobody knows */
  get(deviceId: DeviceId, now: Date): Promise<DeviceContext> {
    return this.compose(deviceId, () => this.registryWord(deviceId), now);
  }

  /** Without asking anyone else; undefined for a device that this service has not heard of. */
  async ownWord(deviceId: DeviceId, now: Date): Promise<DeviceContext | undefined> {
    const known = await this.devices.find(deviceId);
    if (!known) return undefined;
    const { state, attestation, labels } = known;
    const word: RegistryWord = { state, attestation: attestation ?? 'none', labels: [...(labels ?? [])] };
    return this.compose(deviceId, async () => word, now);
  }

  private async compose(deviceId: DeviceId, registry: () => Promise<RegistryWord>, now: Date): Promise<DeviceContext> {
    // Taken before the row is read: what is written meanwhile is in one of the two.
    const unwritten = this.telemetry.unwritten(deviceId);
    const [device, written, fences] = await Promise.all([
      registry(),
      this.conditions.find(deviceId),
      this.geofences.all(),
    ]);
    const conditions = unwritten ? merge(written, unwritten) : written;
    return deviceContext(device, conditions, membership(fences, device.labels, conditions?.position), now);
  }

  /** The projection's, or where it may be behind (a device that enrolled a moment ago) or says too little, provisioning's own. */
  private async registryWord(deviceId: DeviceId): Promise<RegistryWord> {
    const known = await this.devices.find(deviceId);
    const whole =
      known?.labels && known.attestation
        ? { state: known.state, attestation: known.attestation, labels: [...known.labels] }
        : undefined;
    if (whole && whole.state !== 'registered') return whole;
    try {
      const { device } = await this.nats.request(deviceGet, { deviceId }, { timeoutMs: ASK_TIMEOUT_MS });
      await this.devices.save(device);
      return { ...device, labels: device.labels ?? [] };
    } catch (error) {
      if (whole && error instanceof DomainError && error.code.startsWith('service.')) return whole;
      throw error;
    }
  }
}
