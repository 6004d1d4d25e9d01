import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { type NatsUsers, natsAuthorization } from '@outrider/contracts';
import { SERVICES } from '@outrider/ids';
import { freePort } from './free-port.client.js';

const PASSWORD = 'test';
/** By its place: libs/platform's own specs use this library. */
const PROVISION = '../../platform/dist/nats/provision.client.js';

/** A nats-server of a test's own, with the users, permissions, streams and buckets of the contracts. */
export interface TestNats {
  readonly url: string;
  /** The password of every user (a service's name, or `provisioner`). */
  readonly password: string;
  readonly passwordFile: string;
  connectAs(user: string): Promise<NatsConnection>;
  /** SIGKILL, the store stays. */
  kill(): Promise<void>;
  /** Starts it again on the same port and store. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts one: `OUTRIDER_TEST_NATS_SERVER`, else `nats-server` on the path or in /usr/sbin. */
export async function startNats(): Promise<TestNats> {
  const directory = mkdtempSync(join(tmpdir(), 'outrider-nats-'));
  const port = await freePort();
  const url = `nats://127.0.0.1:${port}`;
  const users = Object.fromEntries(
    [...SERVICES, 'provisioner', 'team-example', 'siem-example'].map((user) => [user, PASSWORD]),
  ) as NatsUsers;
  const configFile = join(directory, 'nats.conf');
  const passwordFile = join(directory, 'password');
  writeFileSync(passwordFile, PASSWORD, { mode: 0o600 });
  writeFileSync(
    configFile,
    `listen: 127.0.0.1:${port}\njetstream { store_dir: ${JSON.stringify(join(directory, 'store'))} }\n${natsAuthorization(users)}`,
  );
  let child = await launch(configFile, directory, url);
  await provision(url);
  const kill = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  };
  return {
    url,
    password: PASSWORD,
    passwordFile,
    connectAs: (user) => connectAs(url, user),
    kill: () => kill('SIGKILL'),
    restart: async () => {
      child = await launch(configFile, directory, url);
    },
    stop: async () => {
      await kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function provision(url: string): Promise<void> {
  const product: { provision(connection: NatsConnection, options: object): Promise<void> } = await import(PROVISION);
  const connection = await connectAs(url, 'provisioner');
  await product.provision(connection, { replicas: 1, teams: [] });
  await connection.close();
}

async function launch(configFile: string, directory: string, url: string): Promise<ChildProcess> {
  const log = join(directory, 'nats.log');
  const child = spawn(natsBinary(), ['-c', configFile, '-l', log], { stdio: 'ignore' });
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new Error(`nats-server ended with ${code}: ${readFileSync(log, 'utf8').slice(-500)}`)),
    );
  });
  failed.catch(() => undefined);
  await Promise.race([failed, untilUp(url)]);
  return child;
}

async function untilUp(url: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      await (await connectAs(url, 'provisioner')).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error('nats-server did not come up within 5 s');
}

function connectAs(url: string, user: string): Promise<NatsConnection> {
  return connect({ servers: url, user, pass: PASSWORD, inboxPrefix: `_INBOX.${user}`, reconnect: false });
}

/** `OUTRIDER_TEST_NATS_SERVER`, else what is on the path or in /usr/sbin. */
export function natsBinary(): string {
  return process.env['OUTRIDER_TEST_NATS_SERVER'] ?? onPath() ?? '/usr/sbin/nats-server';
}

function onPath(): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(':')) {
    try {
      if (readdirSync(folder).includes('nats-server')) return join(folder, 'nats-server');
    } catch {}
  }
  return undefined;
}
