import { Module } from '@nestjs/common';
import { ApprovalsController } from './approval/approvals.controller.js';
import { Approvals } from './approval/approvals.repository.js';
import { ApprovalService } from './approval/approvals.service.js';
import { CertificateRow } from './certificate/certificate.entity.js';
import { CertificateAnswers } from './certificate/certificate-answers.consumer.js';
import { Certificates } from './certificate/certificates.repository.js';
import { DeviceRow } from './device/device.entity.js';
import { DevicesController } from './device/devices.controller.js';
import { Devices } from './device/devices.repository.js';
import { Registry } from './device/registry.service.js';
import { EstClients } from './enrolment/clients.service.js';
import { Denied } from './enrolment/denied.service.js';
import { Enrolment } from './enrolment/enrolment.service.js';
import { FleetCa } from './enrolment/fleet-ca.client.js';
import { GroupDecision } from './enrolment/group-decision.service.js';
import { GroupIssue } from './enrolment/group-issue.service.js';
import { WorkingSets } from './enrolment/working-set.repository.js';
import { EstController } from './est/est.controller.js';
import { EstAnswers } from './est/est-answers.service.js';
import { EstDecisions } from './est/est-decisions.service.js';
import { EstErrors } from './est/est-errors.service.js';
import { FleetTrust } from './est/fleet-trust.store.js';
import { ServerKeys } from './est/server-key.service.js';
import { CloneFactsRepository } from './finding/clone-facts.repository.js';
import { DeniedFindings } from './finding/denied-findings.service.js';
import { FindingsController } from './finding/findings.controller.js';
import { FindingLog } from './finding/findings.repository.js';
import { Findings } from './finding/findings.service.js';
import { HistoryController } from './history/history.controller.js';
import { History } from './history/history.repository.js';
import { ImportRetention } from './import/import-retention.service.js';
import { ImportRun } from './import/import-run.service.js';
import { ImportsController } from './import/imports.controller.js';
import { Imports } from './import/imports.repository.js';
import { LifecycleController } from './lifecycle/lifecycle.controller.js';
import { Lifecycle } from './lifecycle/lifecycle.service.js';
import { OutOfServiceConsumer } from './lifecycle/out-of-service.consumer.js';
import { ManufacturerRow } from './manufacturer/manufacturer.entity.js';
import { ManufacturersController } from './manufacturer/manufacturers.controller.js';
import { Manufacturers } from './manufacturer/manufacturers.service.js';
import { Registry1763802000000 } from './migrations/1763802000000-registry.migration.js';
import { ImportsAndSearch1763803500000 } from './migrations/1763803500000-imports-and-search.migration.js';
import { EnrolmentGroups1764100000000 } from './migrations/1764100000000-enrolment-groups.migration.js';
import { Rotations1764200000000 } from './migrations/1764200000000-rotations.migration.js';
import { Lifecycle1764300000000 } from './migrations/1764300000000-lifecycle.migration.js';
import { FindingsAndApprovals1764400000000 } from './migrations/1764400000000-findings-and-approvals.migration.js';
import { HoldsAndTargets1764700000000 } from './migrations/1764700000000-holds-and-targets.migration.js';
import { OrderService } from './order/order.service.js';
import { OrdersController } from './order/orders.controller.js';
import { Orders } from './order/orders.repository.js';
import { CertificateSeenConsumer } from './overlap/certificate-seen.consumer.js';
import { Overlap } from './overlap/overlap.service.js';
import { OverlapEnd } from './overlap/overlap-end.service.js';
import { RenewalInfoController } from './renewal/renewal-info.controller.js';
import { RenewalInfos } from './renewal/renewal-info.repository.js';
import { RenewalInfo } from './renewal/renewal-info.service.js';
import { RotationsController } from './rotation/rotations.controller.js';
import { Rotations } from './rotation/rotations.repository.js';
import { DeviceSearchController } from './search/device-search.controller.js';
import { DeviceSearches } from './search/device-search.service.js';
import { TargetConsumer } from './target/target.consumer.js';

export const ENTITIES = [CertificateRow, DeviceRow, ManufacturerRow];
export const MIGRATIONS = [
  Registry1763802000000,
  EnrolmentGroups1764100000000,
  ImportsAndSearch1763803500000,
  Rotations1764200000000,
  Lifecycle1764300000000,
  FindingsAndApprovals1764400000000,
  HoldsAndTargets1764700000000,
];
@Module({
  controllers: [
    RenewalInfoController,
    RotationsController,
    EstController,
    DevicesController,
    DeviceSearchController,
    ImportsController,
    LifecycleController,
    HistoryController,
    OrdersController,
    ManufacturersController,
    FindingsController,
    ApprovalsController,
  ],
  providers: [
    RenewalInfo,
    RenewalInfos,
    Rotations,
    Certificates,
    CertificateAnswers,
    Devices,
    DeviceSearches,
    ImportRetention,
    ImportRun,
    Imports,
    OutOfServiceConsumer,
    TargetConsumer,
    Registry,
    Lifecycle,
    History,
    Orders,
    OrderService,
    Denied,
    Enrolment,
    EstAnswers,
    EstClients,
    EstDecisions,
    EstErrors,
    FleetCa,
    FleetTrust,
    ServerKeys,
    GroupDecision,
    GroupIssue,
    WorkingSets,
    Manufacturers,
    FindingLog,
    DeniedFindings,
    Findings,
    CloneFactsRepository,
    Approvals,
    ApprovalService,
    CertificateSeenConsumer,
    Overlap,
    OverlapEnd,
  ],
})
export class ProvisioningModule {}
