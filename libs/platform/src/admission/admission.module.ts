import { Global, Module } from '@nestjs/common';
import { APP_GUARD, DiscoveryModule } from '@nestjs/core';
import { AccessTokens } from './access-tokens.service.js';
import { AdmissionGuard } from './admission.guard.js';
import { Connections } from './connections.service.js';
import { Decisions } from './decisions.service.js';
import { DenylistFeed } from './denylist-feed.client.js';
import { Dpop } from './dpop.service.js';
import { DpopProofRepository } from './dpop-proof.repository.js';
import { InstanceLease } from './instance-lease.client.js';
import { JwksKeys } from './jwks.client.js';
import { OperatorRates } from './operator-rates.service.js';
import { Proxies } from './proxies.service.js';
import { Refusals } from './refusals.service.js';
import { ResourceMetadataController } from './resource-metadata.controller.js';
import { ResourceMetadata } from './resource-metadata.service.js';
import { Resumptions } from './resumptions.service.js';
import { RouteRules } from './route-rules.service.js';

/** Admission as every service has it. Global: slices inject the feed, the decisions and the keys by class. */
@Global()
@Module({
  imports: [DiscoveryModule],
  controllers: [ResourceMetadataController],
  providers: [
    Connections,
    DenylistFeed,
    InstanceLease,
    JwksKeys,
    AccessTokens,
    Decisions,
    ResourceMetadata,
    Refusals,
    Resumptions,
    RouteRules,
    OperatorRates,
    Proxies,
    DpopProofRepository,
    Dpop,
    { provide: APP_GUARD, useClass: AdmissionGuard },
  ],
  exports: [Connections, DenylistFeed, Dpop, JwksKeys, Decisions, AccessTokens, DpopProofRepository, Proxies],
})
export class AdmissionModule {}
