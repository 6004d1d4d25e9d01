import { Module } from '@nestjs/common';
import { Findings } from './ingest/findings.service.js';
import { IngestController } from './ingest/ingest.controller.js';
import { IngestService } from './ingest/ingest.service.js';
import { ReadingController } from './reading/reading.controller.js';
import { ReadingRepository } from './reading/reading.repository.js';
import { SigningCertificates } from './signing-certificate/signing-certificates.service.js';
import { BatchRepository } from './store/batch.repository.js';
import { GroupCommit } from './store/group-commit.service.js';
import { MessagesRepository } from './store/messages.repository.js';
import { PartitionsRepository } from './store/partitions.repository.js';
import { Partitions } from './store/partitions.service.js';
import { WindowController } from './window/window.controller.js';
import { WindowService } from './window/window.service.js';
import { WindowsRepository } from './window/windows.repository.js';

@Module({
  controllers: [IngestController, WindowController, ReadingController],
  providers: [
    BatchRepository,
    Findings,
    GroupCommit,
    IngestService,
    MessagesRepository,
    Partitions,
    PartitionsRepository,
    ReadingRepository,
    SigningCertificates,
    WindowService,
    WindowsRepository,
  ],
})
export class TelemetryModule {}
