import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createTestFleet, issue, issueService, type TestFleet, testServiceConfig } from '@outrider/testing';
import { type ConfigFinding, permissionFinding } from './check-config.js';
import { loadConfig, serviceConfig } from './config.js';
import { checkFiles } from './config-check.service.js';

const MAIN = join(import.meta.dirname, '../../../../apps/telemetry/dist/main.js');
const schema = serviceConfig({});
let fleet: TestFleet;
let given: Awaited<ReturnType<typeof testServiceConfig>>['config'];
let directory: string;

/** A configuration with files of its own; no server stands behind it. */
beforeAll(async () => {
  fleet = await createTestFleet();
  const [database, nats] = [
    { host: '127.0.0.1', port: 1, name: 'none', password: 'test' },
    { url: 'nats://127.0.0.1:1', passwordFile: '' },
  ];
  const parts = { fleet, database: database as never, nats: nats as never };
  const made = await testServiceConfig('telemetry', parts);
  directory = made.directory;
  given = { ...made.config, nats: { ...made.config.nats, passwordFile: put('nats.password', 'test') } };
});

function put(name: string, content: string, mode = 0o600): string {
  const file = join(directory, name);
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

const look = (changes: object = {}): ConfigFinding[] => {
  const config = schema.parse({ ...given, ...changes });
  return checkFiles(config, schema, new Date());
};

it('has nothing to say of a good one', () => {
  expect(look()).toEqual([]);
});

const service = (more: object) =>
  issue('service-server', fleet.infrastructureCa, {
    ...{ name: 'telemetry', sanUri: 'spiffe://fleet.example.com/service/telemetry', sanDns: ['localhost'] },
    ...more,
  });
const identity = async (party: ReturnType<typeof service>) => {
  const { certificatePem, privateKeyPem } = await party;
  return { identity: { certificateFile: put('i.crt', certificatePem), keyFile: put('i.key', privateKeyPem) } };
};
const minutes = (count: number) => new Date(Date.now() + count * 60_000);

it('sends no token of a collector in the clear beyond loopback', () => {
  const load = (endpoint: string, more: object = {}) => {
    const tracing = { endpoint, sampleRatio: 1, believeSampledOf: [], queueSize: 16, ...more };
    return loadConfig(put('traced.json', JSON.stringify({ ...given, tracing })), schema, 'telemetry').tracing?.endpoint;
  };
  const token = { tokenFile: put('collector.token', 'token') };
  expect(() => load('http://collector.example/v1/traces', token)).toThrow(/tracing\.endpoint: https is required/);
  for (const endpoint of ['https://collector.example/v1/traces', 'http://127.0.0.1:4318/v1/traces'])
    expect(load(endpoint, token)).toBe(endpoint);
  expect(load('http://collector.example/v1/traces')).toBe('http://collector.example/v1/traces');
});

describe('an error', () => {
  it.each<[string, string, RegExp, () => object | Promise<object>]>([
    [
      'a file that is not there',
      'nats.passwordFile',
      /ENOENT/,
      () => ({ nats: { ...given.nats, passwordFile: '/nowhere' } }),
    ],
    [
      'an empty secret',
      'nats.passwordFile',
      /empty/,
      () => ({ nats: { ...given.nats, passwordFile: put('e', '\n') } }),
    ],
    [
      'anchors that are none',
      'trust.controlCaFile',
      /holds no certificate|malformed/,
      () => ({ trust: { ...given.trust, controlCaFile: put('a', 'nonsense') } }),
    ],
    [
      'a nonce key that is too short',
      'listeners.vehicle.dpop.nonceKeyFile',
      /32 bytes/,
      () => {
        const dpop = { nonceKeyFile: put('n', 'abcd'), publicUrls: ['https://localhost'] };
        return { listeners: { ...given.listeners, vehicle: { ...given.listeners.vehicle, dpop } } };
      },
    ],
    [
      'a key of another certificate',
      'identity.keyFile',
      /not the key/,
      async () => {
        const { privateKeyPem } = await issueService(fleet, 'telemetry');
        return { identity: { ...given.identity, keyFile: put('other.key', privateKeyPem) } };
      },
    ],
    [
      'a certificate that is over',
      'identity.certificateFile',
      /over since/,
      () => identity(service({ notBefore: minutes(-120), notAfter: minutes(-10) })),
    ],
    [
      "another service's certificate",
      'identity.certificateFile',
      /it names .*service\/revocation/,
      () => identity(issueService(fleet, 'revocation')),
    ],
    [
      'a state directory that is a file',
      'identity.stateDirectory',
      /no folder|ENOTDIR/,
      () => ({ identity: { ...given.identity, renewal: 'self', stateDirectory: join(put('f', 'x'), 'state') } }),
    ],
  ])('is %s', async (_, key, message, changes) => {
    expect(look(await changes())).toContainEqual({ level: 'error', key, message: expect.stringMatching(message) });
  });
});

describe('a warning', () => {
  it('is a certificate that is over, where the service had it renewed by itself', async () => {
    const over = await identity(service({ notBefore: minutes(-120), notAfter: minutes(-10) }));
    const { certificatePem, privateKeyPem } = await service({});
    const stateDirectory = join(directory, 'renewed');
    mkdirSync(stateDirectory, { mode: 0o700 });
    put('renewed/identity.pem', privateKeyPem + certificatePem);
    const findings = look({ identity: { ...over.identity, renewal: 'self', stateDirectory } });
    const message = expect.stringMatching(/over since/);
    expect(findings).toEqual([{ level: 'warning', key: 'identity.certificateFile', message }]);
  });

  it('is a certificate that ends soon', async () => {
    const findings = look(await identity(service({ notBefore: minutes(-100), notAfter: minutes(20) })));
    const message = expect.stringMatching(/ends in 1 hours/);
    expect(findings).toEqual([{ level: 'warning', key: 'identity.certificateFile', message }]);
  });

  it('is a secret that others may read', () => {
    const passwordFile = put('open', 'test', 0o644);
    const findings = look({ nats: { ...given.nats, passwordFile } });
    expect(findings).toEqual([
      { level: 'warning', key: 'nats.passwordFile', message: expect.stringContaining('mode 0644') },
    ]);
  });

  it('is a state directory that others may look into', () => {
    const stateDirectory = join(directory, 'state');
    mkdirSync(stateDirectory);
    chmodSync(stateDirectory, 0o755);
    const findings = look({ identity: { ...given.identity, renewal: 'self', stateDirectory } });
    expect(findings.map(({ level, key }) => [level, key])).toEqual([['warning', 'identity.stateDirectory']]);
  });

  it.each<[string, number, boolean, number]>([
    ['of our own', 0o640, true, 1],
    ['that Kubernetes gives to our group', 0o440, false, 0],
    ['that everybody may read, whosesoever', 0o444, false, 1],
    ['of our own alone', 0o600, true, 0],
  ])('group rights on a file %s', (_, mode, isOwner, count) => {
    expect(permissionFinding('key', mode, isOwner)).toHaveLength(count);
  });
});

it('is told by the exit code, with every bad key named and nothing opened', async () => {
  const good = {
    ...given,
    ...{ skewSeconds: 120, maxQueuedRecords: 1000, maxQueuedRecordsPerDevice: 1000, commitLagMs: 3000 },
    ...{ limits: { device: { perSecond: 1, burst: 1000 }, fleet: { perSecond: 1, burst: 1000 } }, retentionDays: null },
  };
  const run = (config: object, ...more: string[]) =>
    new Promise<[number, string]>((resolve) => {
      const file = put('telemetry.json', JSON.stringify(config));
      const what = more[0] === 'start' ? [] : ['--check-config', ...more];
      execFile(process.execPath, [MAIN, '--config', file, ...what], (error, _, stderr) =>
        resolve([error ? (error.code as number) : 0, stderr]),
      );
    });
  const nats = { ...given.nats, passwordFile: '/nowhere' };
  const [[goodCode, nothing], [badCode, form], [missingCode, missing], [formCode]] = [
    await run(good),
    await run({ ...good, skewSeconds: -1, logLevel: 'loud', password: 'secret' }),
    await run({ ...good, nats, trust: { ...given.trust, controlCaFile: '/nowhere' } }),
    await run({ ...good, nats }, '--form-only'),
  ];
  // A start without --check-config refuses the same, before it opens anything.
  const empty = { ...given.nats, passwordFile: put('empty.password', '') };
  const [startCode, start] = await run({ ...good, nats: empty }, 'start');
  expect([startCode, start]).toEqual([2, expect.stringMatching(/error: nats\.passwordFile: .*it is empty\n$/)]);
  expect([goodCode, nothing]).toEqual([0, '']);
  expect([badCode, missingCode, formCode]).toEqual([2, 2, 0]);
  for (const key of ['skewSeconds', 'logLevel', '"password"']) expect(form).toContain(key);
  for (const key of ['nats.passwordFile', 'trust.controlCaFile']) expect(missing).toContain(`error: ${key}: /nowhere`);
}, 60_000);
