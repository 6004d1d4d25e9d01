import { FetchOrdersController } from './fetch-orders.controller.js';
import { FetchOrdersRepository } from './fetch-orders.repository.js';
import { FetchOrders } from './fetch-orders.service.js';
import { LogHeadsRepository } from './log-heads.repository.js';
import { LogHeads } from './log-heads.service.js';
import { LogRecordsRepository } from './log-records.repository.js';
import { LogSigners } from './log-signers.service.js';
import { LogVerification } from './log-verification.service.js';
import { OfflineLogsController } from './offline-logs.controller.js';
import { OrderWatch } from './order-watch.service.js';
import { TakeIn } from './take-in.service.js';
import { UploadSweepRepository } from './upload-sweep.repository.js';
import { UploadSweep } from './upload-sweep.service.js';
import { UploadsRepository } from './uploads.repository.js';
import { Uploads } from './uploads.service.js';

/** What this slice brings to the module. */
export const OFFLINE_LOG_CONTROLLERS = [FetchOrdersController, OfflineLogsController];
export const OFFLINE_LOG_PROVIDERS = [
  FetchOrders,
  FetchOrdersRepository,
  LogHeads,
  LogHeadsRepository,
  LogRecordsRepository,
  LogSigners,
  LogVerification,
  OrderWatch,
  TakeIn,
  Uploads,
  UploadsRepository,
  UploadSweep,
  UploadSweepRepository,
];
