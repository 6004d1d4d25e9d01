import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Kvm } from '@nats-io/kv';

import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { POLICIES_BUCKET, POLICIES_KEY } from '@outrider/contracts';
import { JWS_TYP, type JwsTyp, signJws } from '@outrider/crypto';
import { InstanceId } from '@outrider/ids';
import type { PolicyRequest } from '@outrider/policy';
import {
  createTestDatabase,
  createTestFleet,
  issueService,
  type Party,
  startNats,
  type TestDatabase,
  type TestFleet,
  type TestNats,
  testServiceConfig,
} from '@outrider/testing';
import { migrate } from '../postgres/index.js';
import { createApplication } from '../service/boot.provider.js';
import { serviceConfig } from '../service/config.js';
import { createLogger } from '../service/logger.provider.js';
import { Readiness } from '../service/readiness.service.js';
import { Policies } from './policies.store.js';
import { PolicyModule } from './policy.module.js';

const parse = serviceConfig({}).parse.bind(serviceConfig({}));
let [database, nats, app]: [TestDatabase?, TestNats?, NestFastifyApplication?] = [];
let fleet: TestFleet;
let gateway: Party;
let bucket: Awaited<ReturnType<Kvm['open']>>;
let closeGateway: () => Promise<void>;
let policies: Policies;

beforeAll(async () => {
  [fleet, database, nats] = await Promise.all([createTestFleet(), createTestDatabase('command'), startNats()]);
  gateway = await issueService(fleet, 'gateway');
  const config = parse((await testServiceConfig('command', { fleet, database, nats })).config);
  const instance = InstanceId.parse('command-00000001');
  const logger = createLogger('command', instance, config.logLevel);
  await migrate(config, [], logger);
  app = await createApplication(
    { module: PolicyModule, entities: [] },
    { service: 'command', instance, config, logger },
  );
  policies = app.get(Policies);
  const connection = await nats.connectAs('gateway');
  bucket = await new Kvm(connection).open(POLICIES_BUCKET.name, { bindOnly: true });
  closeGateway = () => connection.close();
}, 60_000);

afterAll(async () => {
  await app?.close();
  await closeGateway?.();
  await nats?.stop();
  await database?.drop();
});

const schema = `namespace Outrider {
  entity Vehicle; entity Operator;
  action honk appliesTo { principal: Operator, resource: Vehicle };
}`;
const ALL = 'permit (principal, action, resource);';
const request: PolicyRequest = {
  principal: { type: 'Operator', id: 'op:1', attributes: {} },
  action: 'honk',
  resource: { type: 'Vehicle', id: 'device-12345', attributes: {} },
  context: {},
};

interface Forgery {
  readonly signer?: Party;
  readonly typ?: JwsTyp;
  readonly texts?: Record<string, string>;
}

async function publish(
  version: number,
  { signer = gateway, typ = JWS_TYP.policies, texts = { all: ALL } }: Forgery = {},
) {
  const payload = JSON.stringify({ version, schema, policies: texts, issuedAt: new Date().toISOString() });
  const x5c = [Buffer.from(signer.certificate.der).toString('base64')];
  await bucket.put(POLICIES_KEY, signJws({ header: { typ, x5c }, payload, key: signer.privateKey }));
  await policies.look();
}
const readiness = async () => (await app?.get(Readiness).report())?.checks.policies;

describe('policies in force', () => {
  it('before the first bundle nothing that needs one is allowed', () => {
    expect(() => policies.decide(request)).toThrow(expect.objectContaining({ code: 'policy.unavailable' }));
  });

  it('come signed by gateway, and a newer version takes the place of an older one', async () => {
    await publish(1);
    expect(policies.require(request)).toMatchObject({ decision: 'allow', policies: ['all'], version: 1 });
    await publish(2, { texts: { all: ALL, quiet: 'forbid (principal, action, resource);' } });
    expect(() => policies.require(request)).toThrow(
      expect.objectContaining({ code: 'policy.denied', detail: 'quiet' }),
    );
    await publish(3);
    expect(policies.decide(request).decision).toBe('allow');
  });

  it.each<[string, number, () => Promise<Forgery>]>([
    ['signed by another service', 9, async () => ({ signer: await issueService(fleet, 'telemetry') })],
    [
      'signed by a service of another fleet',
      9,
      async () => ({ signer: await issueService(await createTestFleet(), 'gateway') }),
    ],
    ['signed for another purpose', 9, async () => ({ typ: JWS_TYP.request })],
    ['an older one', 2, async () => ({})],
    ['one that does not hold', 9, async () => ({ texts: { broken: 'permit' } })],
  ])('%s changes nothing, and is told', async (_name, version, forgery) => {
    await publish(version, { texts: {}, ...(await forgery()) });
    expect(policies.decide(request)).toMatchObject({ decision: 'allow', version: 3 });
    expect(await readiness()).toMatchObject({ ok: true, detail: { version: 3, refused: expect.any(String) } });
  });

  it('what is no JWS changes nothing either', async () => {
    await bucket.put(POLICIES_KEY, 'permit all');
    await policies.look();
    expect(policies.decide(request).version).toBe(3);
    await bucket.delete(POLICIES_KEY);
    await policies.look();
    expect(policies.decide(request).version).toBe(3);
  });
});
