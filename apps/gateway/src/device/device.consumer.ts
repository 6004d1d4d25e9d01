import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import {
  certificateBatchRevoked,
  certificateRevoked,
  deviceChanged,
  deviceRecovered,
  deviceRevoked,
} from '@outrider/contracts';
import { Subscriptions } from '@outrider/platform/nats';
import { BlockService } from '../block/block.service.js';
import { Devices } from './devices.repository.js';

@Injectable()
export class DeviceConsumer implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly devices: Devices,
    private readonly blocks: BlockService,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.consume(deviceChanged, (device) => this.devices.save(device));
    this.subscriptions.consume(deviceRevoked, ({ deviceId, reason, revokedAt }) =>
      this.devices.saveRevoked(deviceId, reason, revokedAt),
    );
    // What is compromised stays so, certificate by certificate; for any other reason an unblock asks nobody.
    this.subscriptions.consume(certificateRevoked, async ({ ref: { thumbprint }, reason, revokedAt }) => {
      if (reason === 'keyCompromise') await this.devices.saveCompromised([thumbprint], revokedAt);
    });
    this.subscriptions.consume(certificateBatchRevoked, async ({ refs, reason, revokedAt }) => {
      const thumbprints = refs.map(({ thumbprint }) => thumbprint);
      if (reason === 'keyCompromise') await this.devices.saveCompromised(thumbprints, revokedAt);
    });
    this.subscriptions.consume(deviceRecovered, (recovered) => this.blocks.recovered(recovered, new Date()));
  }
}
