/** `run`: one vehicle with a factory identity that exists. */
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { Vehicle } from './agent/vehicle.service.js';
import { loadHandlers } from './command/handlers.store.js';
import { loadDrive } from './drive/drive.store.js';
import { readPlatform } from './endpoints/endpoints.store.js';
import { factoryName } from './enrol/identity.store.js';
import type { KeyType } from './keys/key-store.js';
import { outputSink } from './report/report.service.js';
import { FORMATS, type TelemetryFormat } from './telemetry/carry.js';
import { RequestTracer } from './trace/tracer.client.js';

export interface DriveOptions {
  readonly endpoints: string;
  readonly drive?: string;
  readonly interval: number;
  readonly speed: number;
  readonly count?: number;
  readonly keyType: KeyType;
  readonly commands: boolean;
  readonly handlers?: string;
  readonly dryRun: boolean;
  readonly cose: boolean;
  readonly dpop: boolean;
  readonly format: TelemetryFormat;
  readonly receipts: boolean;
  readonly estLabel?: string;
  readonly datedBack: number;
  readonly json: boolean;
  readonly traceEndpoint?: string;
  readonly traceRatio: number;
}

/** Options that one vehicle and many have in common. */
export function withDriveOptions(command: Command): Command {
  return command
    .option('--endpoints <file>', 'where the platform is', defaultEndpoints())
    .option('--drive <file>', 'a recorded drive, .csv or .gpx; without it a simulated one')
    .option('--interval <time>', 'between two samples, e.g. 1s, 250ms', milliseconds, 1000)
    .option('--speed <factor>', "how fast the drive's time goes by", positive, 1)
    .option('--count <n>', 'stop after so many samples, once all are sent', whole)
    .addOption(new Option('--key-type <type>', 'of new keys').choices(['P-256', 'Ed25519']).default('P-256'))
    .option('--est-label <label>', "EST label to enrol and renew at; without it the platform's default")
    .option('--dpop', 'bind tokens to the key too and prove it on each request: for platforms behind a proxy', false)
    .addOption(
      new Option('--format <format>', 'of telemetry; all but json are signed when they are sent')
        .choices(FORMATS)
        .default('json'),
    )
    .option(
      '--dated-back <time>',
      'date samples so far back, as of a drive out of reach before, e.g. 60m',
      milliseconds,
      0,
    )
    .option('--receipts', "ask for signed receipts and keep them in the state folder's receipts.ndjson", false)
    .option('--no-commands', 'take no commands')
    .option('--handlers <folder>', 'plug-ins that carry commands out, one a file; see docs/vehicle.md')
    .option('--cose', 'take commands in COSE instead of JOSE', false)
    .option('--dry-run', 'verify commands and answer them, carry none out', false)
    .option('--trace-endpoint <url>', 'send a span of each request there, OTLP over HTTP; see docs/tracing.md')
    .option('--trace-ratio <share>', 'of the requests, 0 to 1', ratio, 1)
    .option('--json', 'events as JSON, one a line', false);
}

export function runCommand(): Command {
  return withDriveOptions(new Command('run'))
    .description('be one vehicle: enrol, send telemetry, take commands')
    .requiredOption('--state <dir>', "the vehicle's own state; made when it is not there")
    .requiredOption('--factory <dir>', 'holds factory.crt, factory.key, chain.pem')
    .action(async (options: DriveOptions & { state: string; factory: string }) => {
      const stateDirectory = resolve(options.state);
      const factoryDirectory = resolve(options.factory);
      const seed = (await factoryName(factoryDirectory)) ?? stateDirectory;
      const tracer = await openTracer(options);
      const vehicle = await Vehicle.open({
        stateDirectory,
        factoryDirectory,
        platform: await readPlatform(resolve(options.endpoints)),
        drive: await loadDrive(options.drive && resolve(options.drive), seed),
        sink: outputSink(options.json),
        tracer,
        ...(await vehicleOptions(options)),
      });
      onSignal(() => vehicle.stop());
      await vehicle.run();
      await tracer?.close();
    });
}

/** One for all vehicles of the process; whoever opened it closes it. */
export async function openTracer({ traceEndpoint: endpoint, traceRatio: ratio }: DriveOptions) {
  return endpoint === undefined ? undefined : RequestTracer.open({ endpoint, ratio });
}

export async function vehicleOptions(options: DriveOptions) {
  const { interval, speed, count, keyType, commands, dpop, format, estLabel, handlers, dryRun, cose, datedBack } =
    options;
  return {
    intervalMs: interval,
    speed,
    keyType,
    estLabel,
    takesCommands: commands,
    handlers: await loadHandlers(handlers && resolve(handlers)),
    dryRun,
    cose,
    dpop,
    format,
    datedBackMs: datedBack,
    receipts: options.receipts,
    ...(count === undefined ? {} : { count }),
  };
}

/** The first signal stops cleanly; a second one ends the process as it would have without us. */
export function onSignal(stop: () => void): void {
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, stop);
}

function milliseconds(text: string): number {
  const found = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m)?$/.exec(text);
  const factor = { ms: 1, s: 1000, m: 60_000 }[found?.[2] ?? 's'] as number;
  const value = Number(found?.[1] ?? Number.NaN) * factor;
  if (!(value >= 1)) throw new InvalidArgumentError('a time like 1s or 250ms');
  return value;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError('a number above 0');
  return value;
}

function ratio(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError('a number from 0 to 1');
  return value;
}

export function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number above 0');
  return value;
}

/** As the operator's tool finds the suite: by OUTRIDER_ENDPOINTS, by OUTRIDER_HOME, or in the project's .outrider. */
function defaultEndpoints(): string {
  return process.env.OUTRIDER_ENDPOINTS || join(process.env.OUTRIDER_HOME || '.outrider', 'endpoints.json');
}
