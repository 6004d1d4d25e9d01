import { Module } from '@nestjs/common';
import { PolicyModule } from '@outrider/platform/policy';
import { AuditController } from './audit/audit.controller.js';
import { BatchRunner } from './batch/batch-runner.service.js';
import { BatchesController } from './batch/batches.controller.js';
import { Batches } from './batch/batches.repository.js';
import { BatchesService } from './batch/batches.service.js';
import { CatalogueStore } from './catalogue/catalogue.store.js';
import { ChangeFeed } from './changes/change-feed.service.js';
import { ChangeStreams } from './changes/change-streams.service.js';
import { ChangesController } from './changes/changes.controller.js';
import { Changes } from './changes/changes.repository.js';
import { Commands } from './command/commands.repository.js';
import { NewCommands } from './command/new-commands.repository.js';
import { Transitions } from './command/transitions.repository.js';
import { DeliveryController } from './delivery/delivery.controller.js';
import { DeliveryService } from './delivery/delivery.service.js';
import { Heads } from './delivery/heads.repository.js';
import { Interest } from './delivery/interest.service.js';
import { RecoveryRefusals } from './delivery/recovery-refusals.service.js';
import { Streams } from './delivery/streams.service.js';
import { Devices } from './device/devices.service.js';
import { RevokedDevices } from './device/revoked-devices.consumer.js';
import { Elapsed } from './expiry/elapsed.repository.js';
import { Expiry } from './expiry/expiry.service.js';
import { OutcomeService } from './outcome/outcome.service.js';
import { Outcomes } from './outcome/outcomes.repository.js';
import { DispatchPolicy } from './policy/dispatch-policy.service.js';
import { PresenceRepository } from './presence/presence.repository.js';
import { Presence } from './presence/presence.service.js';
import { DueService } from './schedule/due.service.js';
import { CommandReader } from './send/command-reader.service.js';
import { CommandsController } from './send/commands.controller.js';
import { IdempotencyKeys } from './send/idempotency-keys.repository.js';
import { OnceService } from './send/once.service.js';
import { SendService } from './send/send.service.js';
import { CommandSigner } from './signing/signer.client.js';

@Module({
  imports: [PolicyModule],
  controllers: [CommandsController, BatchesController, ChangesController, AuditController, DeliveryController],
  providers: [
    CatalogueStore,
    Commands,
    NewCommands,
    IdempotencyKeys,
    OnceService,
    Batches,
    BatchesService,
    BatchRunner,
    Changes,
    ChangeFeed,
    ChangeStreams,
    DueService,
    Outcomes,
    SendService,
    DispatchPolicy,
    CommandReader,
    DeliveryService,
    Interest,
    Heads,
    RecoveryRefusals,
    Streams,
    Transitions,
    Presence,
    PresenceRepository,
    Elapsed,
    OutcomeService,
    CommandSigner,
    Devices,
    RevokedDevices,
    Expiry,
  ],
})
export class CommandModule {}
