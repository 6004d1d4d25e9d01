import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { deviceChanged, deviceRevoked } from '@outrider/contracts';
import { Subscriptions } from '@outrider/platform/nats';
import { Devices } from './devices.repository.js';

@Injectable()
export class DeviceConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly devices: Devices,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.consume(deviceChanged, (device) => this.devices.save(device));
    this.subscriptions.consume(deviceRevoked, ({ deviceId, reason, revokedAt }) =>
      this.devices.saveRevoked(deviceId, reason, revokedAt),
    );
  }
}
