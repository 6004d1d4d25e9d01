import { Module } from '@nestjs/common';
import { PolicyModule } from '@outrider/platform/policy';
import { Commands } from './command/commands.repository.js';
import { DeliveryController } from './delivery/delivery.controller.js';
import { DeliveryService } from './delivery/delivery.service.js';
import { Waiting } from './delivery/waiting.service.js';
import { Devices } from './device/devices.service.js';
import { RevokedDevices } from './device/revoked-devices.consumer.js';
import { Expiry } from './expiry/expiry.service.js';
import { OutcomeService } from './outcome/outcome.service.js';
import { Outcomes } from './outcome/outcomes.repository.js';
import { DispatchPolicy } from './policy/dispatch-policy.service.js';
import { CommandReader } from './send/command-reader.service.js';
import { CommandsController } from './send/commands.controller.js';
import { SendService } from './send/send.service.js';
import { CommandSigner } from './signing/signer.client.js';

@Module({
  imports: [PolicyModule],
  controllers: [CommandsController, DeliveryController],
  providers: [
    Commands,
    Outcomes,
    SendService,
    DispatchPolicy,
    CommandReader,
    DeliveryService,
    Waiting,
    OutcomeService,
    CommandSigner,
    Devices,
    RevokedDevices,
    Expiry,
  ],
})
export class CommandModule {}
