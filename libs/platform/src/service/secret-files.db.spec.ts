import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import {
  createTestDatabase,
  createTestFleet,
  freePort,
  issueService,
  natsBinary,
  type TestDatabase,
  type TestFleet,
  testServiceConfig,
  until,
} from '@outrider/testing';
import { connectNats } from '../nats/nats.client.js';
import { runtimeDataSource } from '../postgres/data-source.provider.js';
import { endWhenCutOff } from './boot.provider.js';
import { serviceConfig } from './config.js';
import { createLogger } from './logger.provider.js';

const logger = createLogger('telemetry', 'telemetry-00000001' as never, 'fatal');
const parse = serviceConfig({}).parse.bind(serviceConfig({}));
let directory: string;
let [fleet, next]: TestFleet[] = [];
let database: TestDatabase;
let config: ReturnType<typeof parse>;

const put = (name: string, content: string): string => {
  const file = join(directory, name);
  writeFileSync(file, content, { mode: 0o600 });
  return file;
};

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'outrider-secrets-'));
  [fleet, next, database] = await Promise.all([createTestFleet(), createTestFleet(), createTestDatabase('telemetry')]);
  const nats = { url: `nats://127.0.0.1:${await freePort()}`, passwordFile: put('nats', 'one') };
  config = parse((await testServiceConfig('telemetry', { fleet, database, nats: nats as never })).config);
}, 60_000);

afterAll(async () => {
  await database?.drop();
  if (directory) rmSync(directory, { recursive: true, force: true });
});

describe('NATS, with TLS', () => {
  let server: ChildProcess | undefined;
  let connection: NatsConnection | undefined;
  afterAll(async () => {
    await connection?.close();
    await ended(server);
  });

  const start = async (password: string, { certificatePem, privateKeyPem }: Awaited<ReturnType<typeof serverOf>>) => {
    await ended(server);
    const tls = `tls { cert_file: "${put('nats.crt', certificatePem)}", key_file: "${put('nats.key', privateKeyPem)}" }`;
    const users = `authorization { users: [ { user: "telemetry", password: "${password}" } ] }`;
    const port = new URL(config.nats.url as string).port;
    server = spawn(natsBinary(), ['-c', put('nats.conf', `listen: 127.0.0.1:${port}\n${tls}\n${users}\n`)], {
      stdio: 'ignore',
    });
  };
  const answers = () =>
    Promise.race([
      connection!.flush().then(
        () => true,
        () => false,
      ),
      new Promise<boolean>((resolve) => setTimeout(resolve, 1000, false)),
    ]);
  /** Every server is another process: who answers is the one that was started last. */
  const reconnected = () => until(answers, 20_000);

  it('takes a new password and a new CA at its next connection, whichever side has them first', async () => {
    await start('one', await serverOf(fleet!));
    const caFile = put('nats-ca.crt', fleet!.root.certificatePem);
    const nats = { ...config.nats, passwordFile: put('nats', 'one'), caFile };
    connection = await connectNats({ ...config, nats }, 'telemetry-00000001', logger);
    expect(await answers()).toBe(true);

    // The file first: what is connected stays so.
    put('nats', 'two');
    expect(await answers()).toBe(true);
    await start('two', await serverOf(fleet!));
    await reconnected();

    // The server first: it is refused again and again, and does not give up.
    await start('three', await serverOf(fleet!));
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(connection.isClosed()).toBe(false);
    put('nats', 'three');
    await reconnected();

    await start('three', await serverOf(next!));
    put('nats-ca.crt', next!.root.certificatePem);
    await reconnected();
    expect(await answers()).toBe(true);
  }, 90_000);

  it('goes on with the last password while its file is away or empty', async () => {
    rmSync(join(directory, 'nats'));
    await start('three', await serverOf(next!));
    await reconnected();
    put('nats', '');
    await start('three', await serverOf(next!));
    await reconnected();
    expect(connection?.isClosed()).toBe(false);
    put('nats', 'four');
    await start('four', await serverOf(next!));
    await reconnected();
  }, 90_000);

  it('ends the process once the connection is closed for good, and at a stop leaves that to the stop', async () => {
    const ends: string[] = [];
    const watched = [true, false].map((isStopping) =>
      endWhenCutOff(
        connection!,
        () => isStopping,
        logger,
        () => ends.push(isStopping ? 'at a stop' : 'ended'),
      ),
    );
    await connection?.close();
    await Promise.all(watched);
    expect(ends).toEqual(['ended']);
  });
});

describe('PostgreSQL', () => {
  it('takes a new password at its next connection, and keeps the connections that it has', async () => {
    const passwordFile = put('postgres', 'not the password');
    const source = runtimeDataSource({ ...config, database: { ...config.database, passwordFile } }, []);
    await expect(source.initialize()).rejects.toMatchObject({ code: '28P01' });
    put('postgres', `${database.password}\n`);
    await source.initialize();
    const kept = source.createQueryRunner();
    await kept.connect();
    put('postgres', 'not the password');
    const another = source.createQueryRunner();
    await expect(another.connect()).rejects.toMatchObject({ code: '28P01' });
    expect(await kept.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    put('postgres', database.password);
    const third = source.createQueryRunner();
    expect(await third.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    for (const runner of [kept, third]) await runner.release();
    await source.destroy();
  });

  it('takes a new CA at its next connection', async () => {
    let shown = await serverOf(fleet!);
    const server = await tlsOf(() => shown);
    const { port } = server.address() as { port: number };
    const caFile = put('postgres-ca.crt', fleet!.root.certificatePem);
    const source = runtimeDataSource({ ...config, database: { ...config.database, port, caFile } }, []);
    const failure = () => source.initialize().catch((error: unknown) => error);
    // It hangs up after the client's first word, which comes once the client trusts it.
    const trusted = expect.objectContaining({ message: expect.stringMatching(/terminated|ECONNRESET/) });
    expect(await failure()).toEqual(trusted);
    shown = await serverOf(next!);
    expect(await failure()).toMatchObject({ code: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY' });
    put('postgres-ca.crt', next!.root.certificatePem);
    expect(await failure()).toEqual(trusted);
    await new Promise((resolve) => server.close(resolve));
  });
});

/** With its chain: the client's anchor is the root. */
async function serverOf(fleet: TestFleet) {
  const { certificatePem, privateKeyPem } = await issueService(fleet, 'server');
  return { certificatePem: certificatePem + fleet.infrastructureCa.certificatePem, privateKeyPem };
}

/** What PostgreSQL does before it speaks TLS; then it hangs up. */
async function tlsOf(party: () => Awaited<ReturnType<typeof serverOf>>): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write('S');
      const { certificatePem: cert, privateKeyPem: key } = party();
      const secure = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext({ cert, key }) });
      secure.on('error', () => undefined);
      secure.once('data', () => secure.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function ended(server: ChildProcess | undefined): Promise<void> {
  if (!server || server.exitCode !== null || server.signalCode !== null) return;
  const gone = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGKILL');
  await gone;
}
