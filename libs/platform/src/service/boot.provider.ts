import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { NatsConnection } from '@nats-io/transport-node';
import { Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DomainError } from '@outrider/errors';
import { InstanceId, type Service } from '@outrider/ids';
import type { Logger } from 'pino';
import type { QueryRunner } from 'typeorm';
import type { z } from 'zod';
import { createFastifyAdapter } from '../http/fastify.provider.js';
import { Listeners } from '../http/listeners.service.js';
import { connectNats, Nats } from '../nats/nats.client.js';
import { connectDatabase } from '../postgres/connect.provider.js';
import { type EntityClass, type MigrationClass, runtimeDataSource } from '../postgres/data-source.provider.js';
import { Database } from '../postgres/database.service.js';
import { warnWithoutStandby } from '../postgres/durability.provider.js';
import { migrate } from '../postgres/migrate.provider.js';
import { requirePrimary } from '../postgres/primary.client.js';
import { schemaOf } from '../postgres/schema.js';
import { traceStatements } from '../postgres/traced-statements.provider.js';
import { type ConfigFinding, inLines } from './check-config.js';
import { type CommonConfig, ConfigError, loadConfig } from './config.js';
import { checkFiles, jsonSchemaOf } from './config-check.service.js';
import { Drain } from './drain.service.js';
import { createLogger, nestLogger } from './logger.provider.js';
import { Metrics } from './metrics.service.js';
import { PlatformModule } from './platform.module.js';
import { Readiness } from './readiness.service.js';
import type { Runtime } from './runtime.provider.js';
import type { Tracing } from './tracing.provider.js';

const OPTIONS = {
  config: { type: 'string' },
  'check-config': { type: 'boolean' },
  /** Beside `check-config`: the form alone, and none of the files that it names. */
  'form-only': { type: 'boolean' },
  'describe-config': { type: 'boolean' },
  migrate: { type: 'boolean' },
} as const;

export interface ServiceDefinition<C extends CommonConfig> {
  readonly service: Service;
  readonly config: z.ZodType<C>;
  readonly module: Type;
  readonly entities: readonly EntityClass[];
  readonly migrations: readonly MigrationClass[];
  /** What `--check-config` looks at besides the files that the configuration names; throws for what would keep the service from starting. */
  readonly check?: (config: C) => void;
  /** Run by `--migrate` after the migrations, as the owner role. */
  readonly asOwner?: (owner: QueryRunner, config: C) => Promise<void>;
}

/**
 * Starts a service: `main.js --config FILE [--check-config [--form-only] | --migrate]`, or prints the JSON Schema of its configuration by
 * `--describe-config`. Nothing opens before the configuration holds.
 * Exit codes: 0 done, 2 bad usage or configuration, 1 anything else.
 */
export async function boot<C extends CommonConfig>(definition: ServiceDefinition<C>): Promise<void> {
  try {
    const { values } = parseArgs({ options: OPTIONS });
    if (values['describe-config']) {
      process.stdout.write(`${JSON.stringify(jsonSchemaOf(definition.config), null, 2)}\n`);
      return;
    }
    if (!values.config)
      throw new ConfigError('usage: main.js --config FILE [--check-config [--form-only] | --migrate]');
    const config = loadConfig(values.config, definition.config, definition.service);
    if (values['check-config']) {
      if (!values['form-only']) check(values.config, definition, config);
      return;
    }
    const instance = InstanceId.parse(`${definition.service}-${randomBytes(4).toString('hex')}`);
    const logger = createLogger(definition.service, instance, config.logLevel);
    if (values.migrate) {
      await migrate(config, definition.migrations, logger, async (owner) => definition.asOwner?.(owner, config));
    } else await run(values.config, definition, { service: definition.service, instance, config, logger });
  } catch (error) {
    process.stderr.write(
      `${error instanceof ConfigError ? error.message : ((error as Error).stack ?? String(error))}\n`,
    );
    process.exit(error instanceof ConfigError ? 2 : 1);
  }
}

/** @throws ConfigError with all that is wrong; what is merely unwise is said, and passes. */
function check<C extends CommonConfig>(file: string, { config: schema, check }: ServiceDefinition<C>, config: C): void {
  const findings = checkFiles(config, schema, new Date());
  try {
    check?.(config);
  } catch (error) {
    const message = error instanceof DomainError ? (error.detail ?? error.title) : (error as Error).message;
    findings.push({ level: 'error', key: config.service, message });
  }
  process.stderr.write(inLines(requireUsable(file, findings)));
}

/** @throws ConfigError with all findings, if one of them is an error */
function requireUsable(file: string, findings: readonly ConfigFinding[]): readonly ConfigFinding[] {
  if (findings.some(({ level }) => level === 'error'))
    throw new ConfigError(`${file}:\n${inLines(findings).trimEnd()}`);
  return findings;
}

async function run<C extends CommonConfig>(
  file: string,
  definition: ServiceDefinition<C>,
  runtime: Runtime,
): Promise<void> {
  const findings = requireUsable(file, checkFiles(runtime.config, definition.config, new Date()));
  for (const { level, key, message } of findings) {
    runtime.logger.warn({ key, finding: level }, `the configuration: ${message}`);
  }
  const app = await createApplication(definition, runtime);
  stopOnSignals(app, runtime.logger);
  await app.get(Listeners).open();
  runtime.logger.info('started');
}

/** The Nest application with its connections, before its listeners open. Tests use it as it is. */
export async function createApplication<C extends CommonConfig>(
  definition: Pick<ServiceDefinition<C>, 'module' | 'entities'>,
  runtime: Runtime,
): Promise<NestFastifyApplication> {
  const dataSource = runtimeDataSource(runtime.config, definition.entities);
  await connectDatabase(dataSource, runtime.logger);
  await warnWithoutStandby(dataSource, runtime.config, runtime.logger);
  const connection = await connectNats(runtime.config, runtime.instance, runtime.logger);
  const tracing = await openTracing(runtime);
  if (tracing) traceStatements(new Database(dataSource).pool, schemaOf(runtime.config.service));

  @Module({ imports: [PlatformModule.register({ ...runtime, tracing }, dataSource, connection), definition.module] })
  class RootModule {}

  const app = await NestFactory.create<NestFastifyApplication>(RootModule, createFastifyAdapter(tracing), {
    bodyParser: false,
    logger: nestLogger(runtime.logger),
    abortOnError: false,
  });
  tracing?.observe(app.get(Metrics));
  const readiness = app.get(Readiness);
  readiness.add('postgres', async () => {
    await requirePrimary(new Database(dataSource).pool);
    return { ok: true };
  });
  readiness.add('nats', async () => {
    await connection.flush();
    return { ok: true };
  });
  await app.init();
  // What was subscribed to has reached the server, before anybody is told that this instance is there.
  await connection.flush();
  return app;
}

/** The library is loaded only where it is used. */
async function openTracing(runtime: Runtime): Promise<Tracing | undefined> {
  const { tracing } = runtime.config;
  if (!tracing) return undefined;
  const { Tracing } = await import('./tracing.provider.js');
  return new Tracing(tracing, runtime);
}

/** The whole stop: nobody new, everybody elsewhere, what is under way finished, leases and claims given back. */
export async function drainAndClose(app: NestFastifyApplication): Promise<void> {
  await app.get(Drain).run();
  await app.close();
}

/** A process whose connection was closed for good hears nobody any more: it ends with 1, and whoever watches over it starts it anew. */
export async function endWhenCutOff(
  connection: NatsConnection,
  isStopping: () => boolean,
  logger: Logger,
  end: () => void = () => process.exit(1),
): Promise<void> {
  const error = await connection.closed();
  if (isStopping()) return;
  logger.fatal({ err: error }, 'the connection to NATS is closed for good: the process ends');
  end();
}

function stopOnSignals(app: NestFastifyApplication, logger: Logger): void {
  let stopping = false;
  void endWhenCutOff(app.get(Nats).connection, () => stopping, logger);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // Who asks twice waits for no load balancer.
      if (stopping) return app.get(Drain).now();
      stopping = true;
      logger.info({ signal }, 'stopping');
      drainAndClose(app).then(
        () => process.exit(0),
        (error: unknown) => {
          logger.error({ err: error }, 'the stop failed');
          process.exit(1);
        },
      );
    });
  }
}
