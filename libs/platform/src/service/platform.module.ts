import type { NatsConnection } from '@nats-io/transport-node';
import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Global,
  Inject,
  Module,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { APP_FILTER, DiscoveryModule } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { AdmissionModule } from '../admission/admission.module.js';
import { ConnectionLimiter } from '../http/connection-limits.service.js';
import { ErrorShapes } from '../http/error-shapes.service.js';
import { Listeners } from '../http/listeners.service.js';
import { ProblemFilter } from '../http/problem.filter.js';
import { RequestMetrics } from '../http/request-metrics.service.js';
import { Staples } from '../http/staples.service.js';
import { IdentityRenewal } from '../nats/identity-renewal.service.js';
import { MessageMetrics } from '../nats/message-metrics.provider.js';
import { Nats } from '../nats/nats.client.js';
import { ServiceIdentity } from '../nats/service-identity.provider.js';
import { Subscriptions } from '../nats/subscriptions.service.js';
import { OpenApiController } from '../openapi/openapi.controller.js';
import { Backlogs } from '../postgres/backlogs.service.js';
import { Database } from '../postgres/database.service.js';
import { Outbox } from '../postgres/outbox.service.js';
import { PoolMetrics } from '../postgres/pool-metrics.service.js';
import { CertificateMetrics } from './certificate-metrics.service.js';
import { Drain } from './drain.service.js';
import { HealthController } from './health.controller.js';
import { Metrics } from './metrics.service.js';
import { Readiness } from './readiness.service.js';
import { CONFIG, LOGGER, RUNTIME, type Runtime } from './runtime.provider.js';
import { Schedule } from './schedule.service.js';
import { TrustFiles } from './trust-files.service.js';

/** What every service has. Global: slices inject these by class or token. */
@Global()
@Module({})
export class PlatformModule implements BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    private readonly dataSource: DataSource,
    private readonly nats: Nats,
    private readonly subscriptions: Subscriptions,
    @Inject(RUNTIME) private readonly runtime: Runtime,
  ) {}

  /** Also last of all: the listeners have closed. Who answers over NATS still holds its lease and hears of whom to refuse. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.subscriptions.drain();
  }

  /** A global module's own hook runs last of all: everything that still used the connections is done. */
  async onApplicationShutdown(): Promise<void> {
    await this.nats.connection.drain().catch(() => undefined);
    await this.dataSource.destroy();
    await this.runtime.tracing?.close();
  }

  static register(runtime: Runtime, dataSource: DataSource, connection: NatsConnection): DynamicModule {
    const shared = [
      { provide: RUNTIME, useValue: runtime },
      { provide: CONFIG, useValue: runtime.config },
      { provide: LOGGER, useValue: runtime.logger },
      { provide: DataSource, useValue: dataSource },
      Metrics,
      {
        provide: Nats,
        useFactory: (metrics: Metrics) => new Nats(connection, runtime, runtime.logger, new MessageMetrics(metrics)),
        inject: [Metrics],
      },
      Readiness,
      Drain,
      Schedule,
      TrustFiles,
      ErrorShapes,
      ConnectionLimiter,
      Staples,
      RequestMetrics,
      Listeners,
      Database,
      PoolMetrics,
      Backlogs,
      CertificateMetrics,
      Outbox,
      Subscriptions,
      ServiceIdentity,
      IdentityRenewal,
    ];
    return {
      module: PlatformModule,
      imports: [AdmissionModule, DiscoveryModule],
      controllers: [HealthController, OpenApiController],
      providers: [...shared, { provide: APP_FILTER, useClass: ProblemFilter }],
      exports: shared.map((provider) => (typeof provider === 'function' ? provider : provider.provide)),
    };
  }
}
