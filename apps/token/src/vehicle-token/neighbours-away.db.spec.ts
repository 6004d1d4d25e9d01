import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { certificateSeen, EVENTS_STREAM } from '@outrider/contracts';
import { type Party } from '@outrider/testing';
import type pg from 'pg';
import { type Ground, prepareGround, startService, until } from '../token.fixture.js';
import { VehicleTokens } from './vehicle-tokens.fixture.js';

let ground: Ground;
let app: NestFastifyApplication;
let tokens: VehicleTokens;
let admin: pg.Client;

beforeAll(async () => {
  ground = await prepareGround();
  admin = await ground.database.admin();
  app = await startService(ground, 1);
  tokens = new VehicleTokens(ground);
}, 60_000);

afterEach(() => {
  ground.neighbours.asked = [];
  ground.neighbours.registryAway = false;
});

afterAll(async () => {
  await app?.close();
  await admin?.end();
  await ground?.stop();
});

describe('the registry', () => {
  it('is asked once for many requests of a vehicle enrolled a moment ago, and then not again', async () => {
    const party = await tokens.vehicle('vehicle-new', { grants: ['command:receive'] });
    const answers = await Promise.all(Array.from({ length: 10 }, () => tokens.control(party, 'vehicle-new')));
    expect(answers.map((answer) => answer.status)).toEqual(Array(10).fill(200));
    const before = ground.neighbours.asked.length;
    expect(before).toBeLessThan(10);
    expect((await tokens.control(party, 'vehicle-new')).status).toBe(200);
    expect(ground.neighbours.asked).toHaveLength(before);
  });

  it('is asked again where we heard of the device before it enrolled', async () => {
    ground.neighbours.tell(ground.neighbours.register('vehicle-enrols', { state: 'registered' }));
    await until(async () => projected('vehicle-enrols'));
    const party = await tokens.vehicle('vehicle-enrols', { grants: ['command:receive'], version: 2 });
    expect((await tokens.control(party, 'vehicle-enrols')).status).toBe(200);
  });

  it('reaches tokens by its events, and an old event changes nothing', async () => {
    const { neighbours } = ground;
    const party = await tokens.vehicle('vehicle-moved', { grants: ['command:receive'], version: 5 });
    expect((await tokens.control(party, 'vehicle-moved')).status).toBe(200);
    neighbours.tell(neighbours.register('vehicle-moved', { state: 'awaiting_recovery', version: 6 }));
    neighbours.tell(neighbours.register('vehicle-moved', { grants: ['command:receive'], version: 4 }));
    neighbours.tell(neighbours.register('vehicle-moved-last'));
    await until(() => projected('vehicle-moved-last'));
    for (const scope of ['command:receive', 'telemetry:write']) {
      const answer = await tokens.ask(party, 'vehicle-moved', { scope });
      expect(answer).toMatchObject({ status: 400, body: { error: 'unauthorized_client' } });
    }
  });

  it('being away: control fails closed with Retry-After, telemetry goes on', async () => {
    ground.neighbours.registryAway = true;
    const party = await tokens.certificate('vehicle-unknown');
    expect(await tokens.control(party, 'vehicle-unknown')).toMatchObject({
      status: 503,
      headers: { 'retry-after': '2' },
      body: { error: 'temporarily_unavailable', code: 'service.upstream_unavailable' },
    });
    expect((await tokens.ask(party, 'vehicle-unknown')).status).toBe(200);
  });

  it('saying that there is no such device: neither', async () => {
    const party = await tokens.certificate('vehicle-nowhere');
    for (const scope of ['command:receive', 'telemetry:write']) {
      const answer = await tokens.ask(party, 'vehicle-nowhere', { scope });
      expect(answer).toMatchObject({ status: 400, body: { error: 'unauthorized_client' } });
    }
  });

  const projected = async (id: string) =>
    (await admin.query('SELECT 1 FROM devices WHERE device_id = $1', [id])).rowCount === 1;
});

const seen = async ({ certificate }: Party) =>
  (await admin.query('SELECT 1 FROM certificates_seen WHERE thumbprint = $1', [certificate.thumbprint])).rowCount;

it('tells provisioning of a certificate once, however many tokens it gets and whoever restarts', async () => {
  const party = await tokens.vehicle('vehicle-seen');
  for (let i = 0; i < 5; i += 1) await tokens.ask(party, 'vehicle-seen');
  const subject = `${certificateSeen.subject}.vehicle-seen`;
  const provisioner = await ground.nats.connectAs('provisioner');
  const kept = async () => {
    const ask = JSON.stringify({ subjects_filter: subject });
    const info = (await provisioner.request(`$JS.API.STREAM.INFO.${EVENTS_STREAM.name}`, ask)).json();
    return (info as { state: { subjects?: Record<string, number> } }).state.subjects?.[subject] ?? 0;
  };
  await until(async () => (await kept()) === 1);
  await app.close();
  app = await startService(ground, 2);
  await tokens.ask(party, 'vehicle-seen');
  ground.neighbours.register('vehicle-seen-after');
  const after = await tokens.certificate('vehicle-seen-after');
  await tokens.ask(after, 'vehicle-seen-after');
  await until(async () => (await seen(after)) === 1);
  expect(await kept()).toBe(1);
  await provisioner.close();
});

it('gives no control token on a denylist older than five seconds, and telemetry tokens still', async () => {
  const party = await tokens.vehicle('vehicle-stale', { grants: ['command:receive'] });
  expect((await tokens.control(party, 'vehicle-stale')).status).toBe(200);
  ground.neighbours.denylist.stopBeating();
  await until(async () => (await tokens.control(party, 'vehicle-stale')).status !== 200);
  expect(await tokens.control(party, 'vehicle-stale')).toMatchObject({
    status: 503,
    headers: { 'retry-after': '1' },
    body: { error: 'temporarily_unavailable', code: 'revocation.stale' },
  });
  expect((await tokens.ask(party, 'vehicle-stale')).status).toBe(200);
  ground.neighbours.denylist.startBeating();
  await until(async () => (await tokens.control(party, 'vehicle-stale')).status === 200);
});

describe('without PostgreSQL', () => {
  it('telemetry tokens go on, control tokens are 503 with Retry-After, and all comes back by itself', async () => {
    const party = await tokens.vehicle('vehicle-away', { grants: ['command:receive'] });
    const late = await tokens.vehicle('vehicle-late');
    expect((await tokens.ask(party, 'vehicle-away')).status).toBe(200);
    ground.postgres.cut();
    const refused = await tokens.control(party, 'vehicle-away');
    const body = { error: 'temporarily_unavailable', code: 'service.unavailable' };
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' }, body });
    expect((await tokens.ask(party, 'vehicle-away')).status).toBe(200);
    expect((await tokens.ask(late, 'vehicle-late')).status).toBe(200);
    await ground.postgres.mend();
    await until(async () => (await tokens.control(party, 'vehicle-away')).status === 200);
    await tokens.ask(late, 'vehicle-late');
    await until(async () => (await seen(late)) === 1);
  });
});
