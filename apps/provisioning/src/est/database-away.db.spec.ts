import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import { EstWire } from './est-wire.fixture.js';
import { expectRefused, type Registry, registryOf } from './registry.fixture.js';
import { type Answer, est, newKeys, received, request, type Suite, startSuite, until } from './suite.fixture.js';

let suite: Suite;
let registry: Registry;

beforeAll(async () => {
  suite = await startSuite();
  registry = registryOf(suite);
}, 60_000);

afterAll(async () => {
  await suite?.stop();
});

/** Cuts every connection to the suite's database and lets no new one in, or lets them in again. */
async function setReachable(reachable: boolean): Promise<void> {
  const client = new pg.Client({ connectionString: process.env.OUTRIDER_TEST_PG_URL });
  await client.connect();
  const { name } = suite.database;
  await client.query(`ALTER DATABASE "${name}" CONNECTION LIMIT ${reachable ? -1 : 0}`);
  if (!reachable) {
    await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
  }
  await client.end();
}

it('hands nothing out when the database goes away between signing and storing, and the same certificate after', async () => {
  const factory = await registry.registered('device-cut-off');
  const keys = newKeys();
  const body = request('device-cut-off', keys);
  suite.signer.beforeAnswer = () => setReachable(false);
  try {
    const cut = await est(suite, 'simpleenroll', factory, body);
    expectRefused(cut, 503, 'service.unavailable');
    expect(Number(cut.headers['retry-after'])).toBeGreaterThan(0);
  } finally {
    suite.signer.beforeAnswer = async () => undefined;
    await setReachable(true);
  }
  expect(suite.signer.signed.size).toBe(1);
  const [signed] = suite.signer.signed.values();
  let answer: Answer | undefined;
  await until(async () => {
    answer = await est(suite, 'simpleenroll', factory, body);
    return answer.status === 200;
  });
  expect(received(answer as Answer, keys).certificate.thumbprint).toBe(signed?.thumbprint);
  expect(suite.signer.signed.size).toBe(1);
  expect((await registry.show('device-cut-off')).certificates).toHaveLength(1);
});

it('refuses who was on a connection when his manufacturer was removed', async () => {
  const factory = await registry.registered('device-orphan');
  const wire = await EstWire.open(suite, factory);
  await registry.operator('DELETE', '/v1/manufacturers/demo-motors?force=true');
  const signed = suite.signer.signed.size;
  const answer = await wire.post('simpleenroll', request('device-orphan', newKeys()));
  wire.close();
  expectRefused(answer, 403, 'est.manufacturer_unknown');
  expect(suite.signer.signed.size).toBe(signed);
});
