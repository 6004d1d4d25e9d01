/** One vehicle: its state, its keys and its loops, put together. */
import { basename, join } from 'node:path';
import { CommandStore } from '../command/command.store.js';
import { ExecutorService } from '../command/executor.service.js';
import { Handlers, type VehicleNow } from '../command/handlers.js';
import { BUILT_IN } from '../command/handlers.store.js';
import { CommandPlatform } from '../command/platform.client.js';
import { ReceiverService } from '../command/receiver.service.js';
import type { Drive, Measurement } from '../drive/drive.js';
import type { PlatformOrigins } from '../endpoints/endpoints.js';
import { EnrolService } from '../enrol/enrol.service.js';
import type { Identity } from '../enrol/identity.js';
import { factoryName, IdentityStore } from '../enrol/identity.store.js';
import { RenewalPlanService } from '../enrol/renewal-plan.service.js';
import { openKeyFiles } from '../keys/key-file.store.js';
import type { KeyStore, KeyType } from '../keys/key-store.js';
import { DeliveryService } from '../log/delivery.service.js';
import { LogStore } from '../log/log.store.js';
import { LogKeeperService } from '../log/log-keeper.service.js';
import { type EventSink, type Report, reporter } from '../report/report.service.js';
import { CarrierService } from '../telemetry/carrier.service.js';
import type { TelemetryFormat } from '../telemetry/carry.js';
import { type QueueCounts, QueueStore } from '../telemetry/queue.store.js';
import { ReceiptsStore } from '../telemetry/receipts.store.js';
import { SamplerService } from '../telemetry/sampler.service.js';
import { SenderService } from '../telemetry/sender.service.js';
import type { RequestTracer } from '../trace/tracer.client.js';
import { AnchorStore } from '../trust/anchors.store.js';
import { TrustService } from '../trust/trust.service.js';
import { ConnectionService } from './connection.service.js';
import { IdentityKeeperService } from './identity-keeper.service.js';
import { LinkService } from './link.service.js';
import { RecoveryStore } from './recovery.store.js';
import { openStateDatabase } from './state-database.store.js';

/** Records that the platform has are kept this long: as far back as an offline log may be asked for. */
const KEEP_SENT_SECONDS = 72 * 3600;
const PRUNE_EVERY_MS = 600_000;
const ALIGN_ATTEMPTS = 3;

export interface VehicleOptions {
  /** Made when it is not there; one vehicle, one directory, one process. */
  readonly stateDirectory: string;
  /** Holds `factory.crt`, `factory.key`, `chain.pem`. */
  readonly factoryDirectory: string;
  readonly platform: { readonly origins: PlatformOrigins; readonly serverTrust: string; readonly fleetRoot: string };
  /** Undefined: no telemetry of its own. */
  readonly drive: Drive | undefined;
  readonly sink: EventSink;
  /** Default P-256. */
  readonly keyType?: KeyType;
  /** Ask for signed receipts and keep them in the state directory. */
  readonly receipts?: boolean;
  /** EST label to enrol and renew at; the platform's default where there is none. */
  readonly estLabel?: string | undefined;
  /** Default: files in the state directory. */
  readonly keys?: KeyStore;
  /** Default 1,000. A `set-interval` command goes before it, restarts included. */
  readonly intervalMs?: number;
  /** Default 1. */
  readonly speed?: number;
  /** Samples to take before `run` ends; default: no end. */
  readonly count?: number;
  /** Date samples so far back, as of a drive through a tunnel before; default 0. */
  readonly datedBackMs?: number;
  /** Default true. */
  readonly takesCommands?: boolean;
  /** `fetch-logs` is answered after so long, delivered or not; default 20,000. */
  readonly logsWithinMs?: number;
  /** Default: the built-in ones. */
  readonly handlers?: Handlers | undefined;
  /** Verify commands and answer them, and carry none out. Default false. */
  readonly dryRun?: boolean;
  /** Take commands as COSE_Sign1 instead of JWS. Default false. */
  readonly cose?: boolean;
  /** Bind access tokens to the vehicle's key and prove it on each request (RFC 9449). Default false. */
  readonly dpop?: boolean;
  /** How telemetry is sent; default json. */
  readonly format?: TelemetryFormat;
  /** Sends a span of each request to a collector; whoever opened it closes it. Default: none. */
  readonly tracer?: RequestTracer | undefined;
}

export class Vehicle {
  private readonly stopping = new AbortController();
  private readonly report: Report;
  private readonly connections: ConnectionService;
  private readonly trust: TrustService;
  private readonly queue: QueueStore;
  private readonly commands: CommandStore;
  private readonly log: LogStore;
  private readonly keeper: LogKeeperService;
  private readonly delivery: DeliveryService;
  private readonly sender: SenderService;
  private readonly sampler: SamplerService | undefined;

  private constructor(
    private readonly options: VehicleOptions,
    private readonly keys: KeyStore,
    private readonly anchors: AnchorStore,
    private readonly database: ReturnType<typeof openStateDatabase>,
    name: string,
  ) {
    const { origins } = options.platform;
    const { signal } = this.stopping;
    const report = reporter(() => this.identity?.deviceId ?? name, options.sink);
    this.report = (event) => {
      report(event);
      if (event.event === 'offline' && event.kind === 'untrusted') void this.trust.suspect(Date.now());
    };
    const serverTrust = () => anchors.serverTrust;
    this.connections = new ConnectionService(
      keys,
      serverTrust,
      origins.token,
      this.report,
      options.dpop,
      options.tracer,
    );
    const changed = () => this.connections.reconnect();
    this.trust = new TrustService(anchors, origins.provisioning, changed, this.report, signal);
    this.queue = new QueueStore(database);
    this.commands = new CommandStore(database);
    this.log = new LogStore(database);
    this.keeper = new LogKeeperService(this.log, keys, this.connections, origins.telemetry, this.report, signal);
    this.delivery = new DeliveryService(
      this.log,
      this.keeper,
      keys,
      this.connections,
      origins.telemetry,
      this.report,
      signal,
      options.logsWithinMs,
    );
    this.sender = new SenderService(
      this.queue,
      this.connections,
      origins.telemetry,
      this.report,
      signal,
      this.delivery,
      new CarrierService(keys, options.format),
      options.receipts ? new ReceiptsStore(options.stateDirectory) : undefined,
    );
    const { drive, count, speed = 1, datedBackMs = 0 } = options;
    this.sampler =
      drive &&
      new SamplerService(
        this.queue,
        keys,
        this.connections,
        { drive, speed, count, datedBackMs, intervalMs: () => this.intervalMs() },
        signal,
      );
  }

  /** Opens the state. Throws an Error in words when another process has it. */
  static async open(options: VehicleOptions): Promise<Vehicle> {
    const database = openStateDatabase(options.stateDirectory);
    try {
      const keys = options.keys ?? (await openKeyFiles(join(options.stateDirectory, 'keys')));
      const name = (await factoryName(options.factoryDirectory)) ?? basename(options.stateDirectory);
      const anchors = await AnchorStore.open(options.stateDirectory, options.platform);
      return new Vehicle(options, keys, anchors, database, name);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Undefined until the first enrolment. */
  get identity(): Identity | undefined {
    return this.connections.identity;
  }

  get counts(): QueueCounts {
    return this.queue.counts();
  }

  /**
   * Runs until `stop`, or until `count` samples are taken and none of them waits to be sent any more. Rejects only for a bug, or for a
   * factory identity that cannot be read; whatever the network or the platform does is reported and waited out. Closes the state.
   */
  async run(): Promise<void> {
    const { drive, stateDirectory, takesCommands = true } = this.options;
    const { queued, held } = this.counts;
    const [name, source] = [drive?.name ?? 'none', drive?.source ?? 'none'];
    this.report({ event: 'started', state: stateDirectory, drive: name, source, queued, held });
    const identities = this.identityKeeper();
    const loops = [
      identities.run(),
      this.sendTelemetry(),
      this.keeper.run(),
      this.delivery.run(),
      takesCommands ? this.receiver(() => identities.look()).run() : Promise.resolve(),
    ];
    const pruning = setInterval(() => this.prune(Date.now() / 1000 - KEEP_SENT_SECONDS), PRUNE_EVERY_MS);
    try {
      // The first loop that fails ends the others; an abort is how they are meant to end.
      await Promise.all(loops.map((loop) => loop.catch((error: unknown) => this.unlessStopping(error))));
    } finally {
      clearInterval(pruning);
      this.stop();
      await Promise.allSettled(loops);
      await this.connections.close();
      this.report({ event: 'stopped', ...this.counts });
      this.database.close();
    }
  }

  stop(): void {
    this.stopping.abort();
    this.connections.abandon();
  }

  private prune(beforeSeconds: number): void {
    this.queue.prune(beforeSeconds);
    this.log.prune(Math.floor(beforeSeconds));
  }

  private async sendTelemetry(): Promise<void> {
    const sending = this.sender.run();
    if (!this.sampler) return sending;
    await this.align();
    if (this.stopping.signal.aborted) return sending;
    const sampling = this.sampler.run(() => this.sender.notify());
    // `count` reached and everything settled: the vehicle is done.
    const done = sampling
      .then(() => this.sender.drained())
      .then(() => this.delivery.drained())
      .then(() => this.stop());
    await Promise.all([sending, done]);
  }

  /** The platform's window, before the first number of this run is given out; a platform out of reach is waited for a moment only. */
  private async align(): Promise<void> {
    const link = new LinkService('telemetry', this.report, this.stopping.signal);
    await this.connections.current();
    for (let attempt = 1; attempt <= ALIGN_ATTEMPTS && !this.stopping.signal.aborted; attempt += 1) {
      try {
        await this.sender.align();
        return link.good();
      } catch (error) {
        await link.failed(error);
      }
    }
  }

  private identityKeeper(): IdentityKeeperService {
    const { options, keys, connections, trust, report } = this;
    const store = new IdentityStore(options.stateDirectory);
    const enrolment = new EnrolService(keys, store, {
      provisioning: options.platform.origins.provisioning,
      serverTrust: () => this.anchors.serverTrust,
      factoryDirectory: options.factoryDirectory,
      keyType: options.keyType ?? 'P-256',
      estLabel: options.estLabel,
      tracer: options.tracer,
    });
    const plan = new RenewalPlanService(
      { load: () => store.renewalPlan(), save: (content) => store.saveRenewalPlan(content) },
      `${options.platform.origins.provisioning}/.well-known/est${options.estLabel ? `/${options.estLabel}` : ''}`,
      report,
      this.stopping.signal,
    );
    const recovery = new RecoveryStore(this.commands);
    return new IdentityKeeperService(
      store,
      enrolment,
      connections,
      plan,
      trust,
      recovery,
      report,
      this.stopping.signal,
    );
  }

  private receiver(settled: () => void): ReceiverService {
    const { keys, connections, commands: store, report } = this;
    const { platform, handlers = new Handlers(BUILT_IN), dryRun = false, cose = false } = this.options;
    const { signal } = this.stopping;
    const vehicle = () => vehicleNow(this.sampler?.latest);
    const agent = { deliverLogs: (seconds: number) => this.delivery.deliverLogs(seconds) };
    const executor = new ExecutorService(store, keys, { handlers, vehicle, agent, dryRun }, report);
    const fleetRoots = () => this.anchors.fleetRoots;
    const service = new CommandPlatform(connections, platform.origins.command, signal, cose);
    return new ReceiverService(
      { store, executor, handlers, connections, platform: service, fleetRoots, settled },
      report,
      signal,
    );
  }

  private intervalMs(): number {
    const commanded = Number(this.commands.effect('interval_seconds') ?? Number.NaN);
    return Number.isFinite(commanded) ? commanded * 1000 : (this.options.intervalMs ?? 1000);
  }

  private unlessStopping(error: unknown): void {
    if (this.stopping.signal.aborted) return;
    this.stop();
    throw error;
  }
}

function vehicleNow(latest: Measurement | undefined): VehicleNow {
  const { speed, lat, lon } = latest ?? {};
  const position = typeof lat === 'number' && typeof lon === 'number' ? { lat, lon } : undefined;
  return { speedKmh: typeof speed === 'number' ? speed : undefined, position };
}
