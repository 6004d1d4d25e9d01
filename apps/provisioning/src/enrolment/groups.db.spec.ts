import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { expectRefused, type Registry, registryOf } from '../est/registry.fixture.js';
import { est, type KeyPair, newKeys, received, request, type Suite, startSuite } from '../est/suite.fixture.js';

let suite: Suite;
let registry: Registry;

beforeAll(async () => {
  suite = await startSuite();
  registry = registryOf(suite);
}, 60_000);

afterAll(async () => {
  await suite?.stop();
});

type Client = Awaited<ReturnType<Registry['registered']>>;

async function registered(names: readonly string[]): Promise<Client[]> {
  const clients: Client[] = [];
  for (const name of names) clients.push(await registry.registered(name));
  return clients;
}

/** Holds the first group at fleet-ca until `gather` is done, so that what `gather` sends shares groups. */
async function whileSigning<T>(gather: () => Promise<T>): Promise<T> {
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  suite.signer.beforeAnswer = () => gate;
  const running = gather();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  suite.signer.beforeAnswer = async () => undefined;
  open();
  return running;
}

describe('neighbours in a group', () => {
  it('share requests to fleet-ca, and each gets its own certificate', async () => {
    const names = Array.from({ length: 24 }, (_, at) => `device-crowd-${at}`);
    const clients = await registered(names);
    suite.signer.groups.length = 0;
    const keys = names.map(() => newKeys());
    const answers = await whileSigning(() =>
      Promise.all(names.map((name, at) => est(suite, 'simpleenroll', clients[at], request(name, keys[at] as KeyPair)))),
    );
    const certificates = answers.map((answer, at) => received(answer, keys[at] as KeyPair).certificate);
    expect(certificates.map(({ subjectCommonName }) => subjectCommonName)).toEqual(names);
    expect(Math.max(...suite.signer.groups)).toBeGreaterThan(1);
    expect(suite.signer.groups.length).toBeLessThan(names.length);
    for (const [at, name] of names.entries()) {
      const { state, certificates: shown } = await registry.show(name);
      expect(state).toBe('active');
      expect(shown).toMatchObject([{ thumbprint: certificates[at]?.thumbprint, status: 'pending' }]);
    }
  });

  it('are none the worse for one that is refused, and one whose certificate fails the lint', async () => {
    const names = ['device-good-1', 'device-linted', 'device-good-2', 'device-named', 'device-good-3'];
    const clients = await registered(names);
    suite.signer.refused.add('device-linted');
    const keys = names.map(() => newKeys());
    const asked = names.map((name) => (name === 'device-named' ? 'device-other' : name));
    const answers = await whileSigning(() =>
      Promise.all(asked.map((name, at) => est(suite, 'simpleenroll', clients[at], request(name, keys[at] as KeyPair)))),
    );
    for (const at of [0, 2, 4]) {
      expect(received(answers[at]!, keys[at] as KeyPair).certificate.subjectCommonName).toBe(names[at]);
    }
    expectRefused(answers[1]!, 500, 'ca.lint_failed');
    expectRefused(answers[3]!, 400, 'est.csr_name_mismatch');
    expect(await registry.show('device-linted')).toMatchObject({ state: 'registered', certificates: [] });
    suite.signer.refused.clear();
    const again = await est(suite, 'simpleenroll', clients[1], request('device-linted', keys[1] as KeyPair));
    expect(received(again, keys[1] as KeyPair).certificate.subjectCommonName).toBe('device-linted');
  });

  it('of one device are decided one after the other: one certificate stands', async () => {
    const [client] = await registered(['device-crowded']);
    const keys = Array.from({ length: 6 }, newKeys);
    const answers = await whileSigning(() =>
      Promise.all(keys.map((own) => est(suite, 'simpleenroll', client, request('device-crowded', own)))),
    );
    const all = answers.map((answer, at) => received(answer, keys[at] as KeyPair).certificate.thumbprint);
    expect(new Set(all).size).toBe(6);
    const { certificates } = await registry.show('device-crowded');
    expect(certificates.map(({ status }) => status).sort()).toEqual(['pending', ...Array(5).fill('superseded')]);
  });

  it('cannot both have one key', async () => {
    const names = Array.from({ length: 8 }, (_, at) => `device-same-key-${at}`);
    const clients = await registered(names);
    const keys = newKeys();
    const answers = await whileSigning(() =>
      Promise.all(names.map((name, at) => est(suite, 'simpleenroll', clients[at], request(name, keys)))),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      expectRefused(answer, 400, 'est.csr_key_refused');
    }
  });
});

describe('a request that is sent again', () => {
  it('byte for byte gets the same certificate, however many at once', async () => {
    const [client] = await registered(['device-again-and-again']);
    const keys = newKeys();
    const body = request('device-again-and-again', keys);
    const before = suite.signer.signed.size;
    const answers = await whileSigning(() =>
      Promise.all(Array.from({ length: 12 }, () => est(suite, 'simpleenroll', client, body))),
    );
    const late = await est(suite, 'simpleenroll', client, body);
    const all = [...answers, late].map((answer) => received(answer, keys).certificate.thumbprint);
    expect(new Set(all).size).toBe(1);
    expect(suite.signer.signed.size).toBe(before + 1);
  });
});
