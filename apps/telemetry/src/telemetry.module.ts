import { Module } from '@nestjs/common';
import { EpochOrdersController } from './epoch-order/epoch-orders.controller.js';
import { EpochOrdersRepository } from './epoch-order/epoch-orders.repository.js';
import { EpochOrders } from './epoch-order/epoch-orders.service.js';
import { FindingLog } from './finding/finding-log.service.js';
import { FindingsController } from './finding/findings.controller.js';
import { HighWater } from './high-water/high-water.service.js';
import { MarksClient } from './high-water/marks.client.js';
import { RollbacksRepository } from './high-water/rollbacks.repository.js';
import { CheckMessages } from './ingest/check-messages.service.js';
import { Findings } from './ingest/findings.service.js';
import { IngestController } from './ingest/ingest.controller.js';
import { IngestService } from './ingest/ingest.service.js';
import { Limits } from './limits/limits.service.js';
import { OFFLINE_LOG_CONTROLLERS, OFFLINE_LOG_PROVIDERS } from './offline-log/offline-log.provider.js';
import { ReadingModule } from './reading/reading.module.js';
import { Receipts } from './receipt/receipts.service.js';
import { SigningCertificates } from './signing-certificate/signing-certificates.service.js';
import { AcceptedEvents } from './store/accepted-events.service.js';
import { BatchRepository } from './store/batch.repository.js';
import { EventGroupsRepository } from './store/event-groups.repository.js';
import { GroupCommit } from './store/group-commit.service.js';
import { MessagesRepository } from './store/messages.repository.js';
import { PartitionsRepository } from './store/partitions.repository.js';
import { Partitions } from './store/partitions.service.js';
import { Pipelined } from './store/pipelined.provider.js';
import { WindowController } from './window/window.controller.js';
import { WindowService } from './window/window.service.js';
import { WindowsRepository } from './window/windows.repository.js';

@Module({
  imports: [ReadingModule],
  controllers: [
    IngestController,
    WindowController,
    EpochOrdersController,
    FindingsController,
    ...OFFLINE_LOG_CONTROLLERS,
  ],
  providers: [
    ...OFFLINE_LOG_PROVIDERS,
    AcceptedEvents,
    BatchRepository,
    EventGroupsRepository,
    Pipelined,
    CheckMessages,
    EpochOrders,
    EpochOrdersRepository,
    FindingLog,
    Findings,
    GroupCommit,
    HighWater,
    IngestService,
    Limits,
    MarksClient,
    MessagesRepository,
    Partitions,
    PartitionsRepository,
    Receipts,
    RollbacksRepository,
    SigningCertificates,
    WindowService,
    WindowsRepository,
  ],
})
export class TelemetryModule {}
