/** command as a process of its own that can be killed with -9 where its database says: before a state is committed, or right after. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CommandState } from '@outrider/contracts';
import type { Surroundings } from '../command.fixture.js';

/** A lock that the service waits for where it is to be killed. */
const HOLD = 4711;
const REACHED_MS = 40_000;
/** Whoever waits for it, in this database: other specs run beside this one on the same server, and it tells of them too. */
const WAITING = `FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

type Client = Awaited<ReturnType<Surroundings['database']['admin']>>;

type Settings = Awaited<ReturnType<Surroundings['configOf']>>['settings'];

/** When it is about to commit the next command in `state` (`before`), or as soon as it has. */
export interface CrashPoint {
  readonly state: CommandState;
  readonly before: boolean;
  /** Of this vehicle alone; then only `before`. */
  readonly device?: string;
}

/** What fails, and how it is mended. */
export interface Fault {
  strike(): void | Promise<void>;
  mend(): void | Promise<void>;
}

export class ServiceProcess {
  private child: ChildProcess | undefined;

  private constructor(
    private readonly configFile: string,
    readonly vehiclePort: number,
    readonly operatorPort: number,
    private readonly client: Client,
    private readonly listener: Client,
  ) {}

  /** `more`: settings that differ from what the suite gives. */
  static async prepare({ configOf, database }: Surroundings, more: Partial<Settings> = {}): Promise<ServiceProcess> {
    const given = await configOf();
    const settings = { ...given.settings, ...more };
    const configFile = join(given.directory, 'command.json');
    writeFileSync(configFile, JSON.stringify(settings));
    const [client, listener] = [await database.admin(), await database.admin()];
    await client.query(`CREATE TABLE crash_points (state text PRIMARY KEY, before boolean NOT NULL, device text)`);
    await client.query('GRANT SELECT ON crash_points TO PUBLIC');
    await client.query(`
      CREATE FUNCTION at_crash_point() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE point crash_points;
      BEGIN
        SELECT * INTO point FROM crash_points WHERE state = NEW.state AND device IS NULL;
        IF FOUND THEN
          PERFORM pg_notify('crash', NEW.state);
          IF point.before THEN PERFORM pg_advisory_xact_lock(${HOLD}); END IF;
        END IF;
        RETURN NEW;
      END $$`);
    await client.query(
      'CREATE TRIGGER crash BEFORE INSERT ON command_history FOR EACH ROW EXECUTE FUNCTION at_crash_point()',
    );
    await client.query(`
      CREATE FUNCTION at_crash_point_of_device() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM pg_advisory_xact_lock(${HOLD}) FROM crash_points WHERE state = NEW.state AND device = NEW.device_id;
        RETURN NEW;
      END $$`);
    await client.query(
      'CREATE TRIGGER crash BEFORE INSERT OR UPDATE ON commands FOR EACH ROW EXECUTE FUNCTION at_crash_point_of_device()',
    );
    await listener.query('LISTEN crash');
    return new ServiceProcess(
      configFile,
      settings.listeners.vehicle.port,
      settings.listeners.operator.port,
      client,
      listener,
    );
  }

  start(): void {
    const main = fileURLToPath(new URL('../main.js', import.meta.url));
    this.child = spawn(process.execPath, [main, '--config', this.configFile], { stdio: 'ignore' });
  }

  /** Has the service killed at `point`, and starts it again. Resolves when that has happened. */
  killAt(point: CrashPoint): Promise<void> {
    return this.strikeAt(point, { strike: () => this.kill(), mend: () => this.start() });
  }

  /** Has something fail at `point`, and mends it. Resolves when that has happened. */
  async strikeAt({ state, before, device }: CrashPoint, { strike, mend }: Fault): Promise<void> {
    if (before) await this.client.query('SELECT pg_advisory_lock($1)', [HOLD]);
    const reached = before ? () => this.waitsForLock() : this.committed();
    await this.client.query('INSERT INTO crash_points VALUES ($1, $2, $3)', [state, before, device]);
    await reached();
    await strike();
    await this.client.query('DELETE FROM crash_points');
    if (before) {
      // What the killed process left behind must be over before the lock is free: its transaction never commits.
      await this.client.query(`SELECT pg_terminate_backend(pid) ${WAITING}`, [HOLD]);
      await this.client.query('SELECT pg_advisory_unlock($1)', [HOLD]);
    }
    await mend();
  }

  async kill(): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async stop(): Promise<void> {
    await this.kill();
    await Promise.all([this.client.end(), this.listener.end()]);
  }

  private committed(): () => Promise<unknown> {
    const notified = once(this.listener, 'notification', { signal: AbortSignal.timeout(REACHED_MS) });
    notified.catch(() => undefined);
    return () => notified;
  }

  private async waitsForLock(): Promise<void> {
    for (const end = Date.now() + REACHED_MS; ; ) {
      const { rowCount } = await this.client.query(`SELECT 1 ${WAITING}`, [HOLD]);
      if (rowCount) return;
      if (Date.now() > end) throw new Error('the service did not come to its crash point');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
