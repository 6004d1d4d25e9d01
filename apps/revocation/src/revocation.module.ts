import { Module } from '@nestjs/common';
import { PolicyModule } from '@outrider/platform/policy';
import type { ServiceDefinition } from '@outrider/platform/service';
import { CertificateConsumer } from './certificate/certificate.consumer.js';
import { CertificateService } from './certificate/certificate.service.js';
import { Certificates } from './certificate/certificates.repository.js';
import { Config } from './config.js';
import { CrlController } from './crl/crl.controller.js';
import { Crls } from './crl/crl.repository.js';
import { CrlBytes } from './crl/crl-bytes.service.js';
import { CrlDraftConsumer } from './crl/crl-draft.consumer.js';
import { CrlDrafts } from './crl/crl-drafts.service.js';
import { CrlEntries } from './crl/crl-entries.repository.js';
import { CrlFiles } from './crl/crl-files.store.js';
import { CrlIssuers } from './crl/crl-issuers.service.js';
import { CrlPublisher } from './crl/crl-publisher.service.js';
import { CrlSigner } from './crl/crl-signer.client.js';
import { DenylistBucket } from './denylist/bucket.store.js';
import { DenylistConsumer } from './denylist/denylist.consumer.js';
import { DenylistRepository } from './denylist/denylist.repository.js';
import { DenylistService } from './denylist/denylist.service.js';
import { DenylistPurge } from './denylist/denylist-purge.service.js';
import { DenylistWriter } from './denylist/denylist-writer.service.js';
import { DenylistSnapshots } from './denylist/snapshot.store.js';
import { DenylistTakeover } from './denylist/takeover.service.js';
import { WriterLocks } from './denylist/writer-lock.store.js';
import { EnforcementService } from './enforcement/enforcement.service.js';
import { ReleaseController } from './hold/release.controller.js';
import { ReleaseService } from './hold/release.service.js';
import { Releases } from './hold/releases.repository.js';
import { JobChunk } from './job/job-chunk.service.js';
import { JobLines } from './job/job-lines.repository.js';
import { JobRunner } from './job/job-runner.service.js';
import { JobUpload } from './job/job-upload.service.js';
import { JobsController } from './job/jobs.controller.js';
import { Jobs } from './job/jobs.repository.js';
import { JobsService } from './job/jobs.service.js';
import { WideTargets } from './job/wide-targets.client.js';
import { RevocationList } from './list/revocation-list.repository.js';
import { RevocationsController } from './list/revocations.controller.js';
import { RevocationTables1764000000000 } from './migrations/1764000000000-revocation-tables.migration.js';
import { LastingClaims1764000100000 } from './migrations/1764000100000-lasting-claims.migration.js';
import { CrlsByIssuer1764000200000 } from './migrations/1764000200000-crls-by-issuer.migration.js';
import { Recovery1764300000000 } from './migrations/1764300000000-recovery.migration.js';
import { StatusChanges1764400000000 } from './migrations/1764400000000-status-changes.migration.js';
import { KeysAndJobs1764400100000 } from './migrations/1764400100000-keys-and-jobs.migration.js';
import { CrlParts1764400200000 } from './migrations/1764400200000-crl-parts.migration.js';
import { OcspResponses1764400300000 } from './migrations/1764400300000-ocsp-responses.migration.js';
import { BulkEntries1764400400000 } from './migrations/1764400400000-bulk-entries.migration.js';
import { ForcedChanges1764400500000 } from './migrations/1764400500000-forced-changes.migration.js';
import { ServiceLines1764900000000 } from './migrations/1764900000000-service-lines.migration.js';
import { IssuanceService } from './ocsp/issuance.service.js';
import { OcspService } from './ocsp/ocsp.service.js';
import { OcspHttp } from './ocsp/ocsp-http.listener.js';
import { OcspResponses } from './ocsp/ocsp-responses.repository.js';
import { OcspSigners } from './ocsp/ocsp-signers.service.js';
import { StapleConsumer } from './ocsp/staple.consumer.js';
import { StatusChanges } from './ocsp/status-changes.listener.js';
import { Recoveries } from './recovery/recoveries.repository.js';
import { RegistryConsumer } from './recovery/registry.consumer.js';
import { Descendants } from './revoke/descendants.service.js';
import { OutOfServicePolicy } from './revoke/out-of-service-policy.service.js';
import { Revocations } from './revoke/revocations.repository.js';
import { RevokeController } from './revoke/revoke.controller.js';
import { RevokeService } from './revoke/revoke.service.js';
import { SaveRevocation } from './revoke/save-revocation.service.js';
import { Targets } from './revoke/targets.service.js';

@Module({
  imports: [PolicyModule],
  controllers: [RevokeController, ReleaseController, JobsController, RevocationsController, CrlController],
  providers: [
    Certificates,
    CertificateService,
    CertificateConsumer,
    DenylistRepository,
    DenylistBucket,
    WriterLocks,
    DenylistTakeover,
    DenylistSnapshots,
    DenylistWriter,
    DenylistPurge,
    DenylistService,
    DenylistConsumer,
    EnforcementService,
    Crls,
    CrlBytes,
    CrlDraftConsumer,
    CrlDrafts,
    CrlEntries,
    CrlFiles,
    CrlIssuers,
    CrlPublisher,
    CrlSigner,
    Revocations,
    Targets,
    OutOfServicePolicy,
    Releases,
    ReleaseService,
    Jobs,
    JobLines,
    WideTargets,
    JobChunk,
    JobRunner,
    JobsService,
    JobUpload,
    RevocationList,
    Descendants,
    SaveRevocation,
    RevokeService,
    StatusChanges,
    OcspSigners,
    OcspResponses,
    IssuanceService,
    OcspService,
    OcspHttp,
    StapleConsumer,
    Recoveries,
    RegistryConsumer,
  ],
})
export class RevocationModule {}

/** What `boot` and the tests start. */
export const definition: ServiceDefinition<Config> = {
  service: 'revocation',
  config: Config,
  module: RevocationModule,
  entities: [],
  migrations: [
    RevocationTables1764000000000,
    LastingClaims1764000100000,
    CrlsByIssuer1764000200000,
    Recovery1764300000000,
    StatusChanges1764400000000,
    KeysAndJobs1764400100000,
    CrlParts1764400200000,
    OcspResponses1764400300000,
    BulkEntries1764400400000,
    ForcedChanges1764400500000,
    ServiceLines1764900000000,
  ],
};
