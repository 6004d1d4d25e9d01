import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { deviceChanged } from '@outrider/contracts';
import { Subscriptions } from '@outrider/platform/nats';
import { DeviceService } from './device.service.js';

@Injectable()
export class DeviceConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly devices: DeviceService,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.consume(deviceChanged, (device) => this.devices.save(device));
  }
}
