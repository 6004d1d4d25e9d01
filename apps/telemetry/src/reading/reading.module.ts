import { Module } from '@nestjs/common';
import { ExportController } from '../export/export.controller.js';
import { ExportService } from '../export/export.service.js';
import { StatisticsController } from '../statistics/statistics.controller.js';
import { StatisticsRepository } from '../statistics/statistics.repository.js';
import { Verdicts } from '../statistics/verdicts.service.js';
import { LiveMessages } from '../tail/live-messages.client.js';
import { TailController } from '../tail/tail.controller.js';
import { TailService } from '../tail/tail.service.js';
import { Signers } from '../verify/signers.service.js';
import { VerifyController } from '../verify/verify.controller.js';
import { VerifyService } from '../verify/verify.service.js';
import { VerifyLogs } from '../verify/verify-logs.service.js';
import { LogEvidenceRepository } from './log-evidence.repository.js';
import { LogEvidence } from './log-evidence.service.js';
import { MessagesInRange } from './messages-in-range.service.js';
import { ReadingController } from './reading.controller.js';
import { ReadingRepository } from './reading.repository.js';
import { ReadingPlaces } from './reading-places.service.js';

/** What operators and auditors see of what was stored; nothing here writes a message. */
@Module({
  controllers: [ReadingController, VerifyController, ExportController, TailController, StatisticsController],
  providers: [
    ExportService,
    LiveMessages,
    LogEvidence,
    LogEvidenceRepository,
    MessagesInRange,
    ReadingPlaces,
    ReadingRepository,
    Signers,
    StatisticsRepository,
    TailService,
    Verdicts,
    VerifyLogs,
    VerifyService,
  ],
  exports: [Verdicts],
})
export class ReadingModule {}
