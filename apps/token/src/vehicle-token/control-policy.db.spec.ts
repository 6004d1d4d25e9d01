/** Policies before control tokens: in-process, by what gateway knows of the vehicle, closed while either is away; telemetry never asks. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DenylistFeed } from '@outrider/platform/admission';
import { Policies } from '@outrider/platform/policy';
import { issueVehicle, type Party } from '@outrider/testing';
import type pg from 'pg';
import { askToken, device, type Ground, prepareGround, startService, until } from '../token.fixture.js';

const NIGHT = `forbid (principal, action == Outrider::Action::"issue_control_token", resource)
  when { resource.labels.contains("grounded") };`;

let ground: Ground;
let app: NestFastifyApplication;
let admin: pg.Client;

beforeAll(async () => {
  ground = await prepareGround();
  admin = await ground.database.admin();
  app = await startService(ground, 1);
  ground.gateway.publish({ 'grounded-stays-mute': NIGHT });
  await until(() => app.get(Policies).version === 2);
}, 60_000);

afterAll(async () => {
  await app?.close();
  await admin?.end();
  await ground?.stop();
});

function vehicle(id: string): Promise<Party> {
  ground.neighbours.register(id, { grants: ['command:receive'] });
  return issueVehicle(ground.fleet, device(id));
}
const ask = (party: Party, id: string, scope: string) => askToken(ground, party, id, { scope });

describe('a control token', () => {
  it('is allowed by policies, whose ids and version are in its audit', async () => {
    const party = await vehicle('policy-allowed');
    expect((await ask(party, 'policy-allowed', 'command:receive')).status).toBe(200);
    const { rows } = await admin.query('SELECT policies, policy_version FROM control_tokens WHERE device_id = $1', [
      'policy-allowed',
    ]);
    expect(rows).toEqual([{ policies: ['control-token-for-active-vehicles'], policy_version: '2' }]);
  });

  it('is refused by a policy in the words of OAuth, and telemetry goes on', async () => {
    ground.gateway.tell('policy-denied', { labels: ['grounded'] });
    const party = await vehicle('policy-denied');
    const refused = await ask(party, 'policy-denied', 'command:receive');
    expect(refused).toMatchObject({
      status: 400,
      headers: { 'cache-control': 'no-store' },
      body: { error: 'access_denied', code: 'policy.denied', error_description: 'grounded-stays-mute' },
    });
    const { rowCount } = await admin.query('SELECT 1 FROM control_tokens WHERE device_id = $1', ['policy-denied']);
    expect(rowCount).toBe(0);
    expect((await ask(party, 'policy-denied', 'telemetry:write')).status).toBe(200);
    expect(ground.gateway.asked.filter((id) => id === 'policy-denied')).toHaveLength(1);
  });

  it('asks gateway once a second for a vehicle, however often it comes', async () => {
    const party = await vehicle('policy-busy');
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(party, 'policy-busy', 'command:receive')));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(ground.gateway.asked.filter((id) => id === 'policy-busy').length).toBeLessThan(8);
  });

  it('there is none while gateway is away, and telemetry goes on', async () => {
    const party = await vehicle('policy-away');
    ground.gateway.away = true;
    const refused = await ask(party, 'policy-away', 'command:receive');
    expect(refused).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } });
    expect(refused.headers['retry-after']).toBeDefined();
    expect((await ask(party, 'policy-away', 'telemetry:write')).status).toBe(200);
    ground.gateway.away = false;
    expect((await ask(party, 'policy-away', 'command:receive')).status).toBe(200);
  });
});

it('there is none before the first policies are in force', async () => {
  const bare = await prepareGround({ policies: false });
  const service = await startService(bare, 1, { policies: false });
  try {
    bare.neighbours.register('policy-none', { grants: ['command:receive'] });
    const party = await issueVehicle(bare.fleet, device('policy-none'));
    const refused = await askToken(bare, party, 'policy-none', { scope: 'command:receive' });
    expect(refused).toMatchObject({ status: 503, body: { code: 'policy.unavailable' } });
    bare.gateway.publish();
    await until(async () => (await askToken(bare, party, 'policy-none', { scope: 'command:receive' })).status === 200);
  } finally {
    await service.close();
    await bare.stop();
  }
}, 60_000);

describe('a quarantined vehicle, on the denylist in recovery mode', () => {
  it('may listen for recovery commands and hand in its logs, and has nothing else: no telemetry, no other token', async () => {
    const id = 'in-recovery';
    const grants = ['command:receive', 'command:critical'] as const;
    ground.neighbours.register(id, { state: 'quarantined', grants: [...grants] });
    ground.gateway.tell(id, { state: 'quarantined' });
    const party = await issueVehicle(ground.fleet, device(id));
    ground.neighbours.deny('device', id, 'recovery');
    await until(() => app.get(DenylistFeed).match({ deviceId: device(id) }) !== undefined);
    const answer = await ask(party, id, grants.join(' '));
    expect([answer.status, answer.body.scope]).toEqual([200, grants.join(' ')]);
    const refused = await ask(party, id, 'telemetry:write');
    expect([refused.status, refused.body.code]).toEqual([401, 'denylist.device']);
    expect((await ask(party, id, 'telemetry:backfill')).body.scope).toBe('telemetry:backfill');
    expect((await ask(party, id, 'telemetry:backfill telemetry:write')).body.code).toBe('denylist.device');
    expect((await ask(party, id, 'command:receive offline_access')).body.code).toBe('denylist.device');
  });

  it('gets nothing at all where the denylist says deny', async () => {
    const id = 'in-no-recovery';
    ground.neighbours.register(id, { state: 'quarantined', grants: ['command:receive'] });
    ground.gateway.tell(id, { state: 'quarantined' });
    const party = await issueVehicle(ground.fleet, device(id));
    ground.neighbours.deny('device', id);
    await until(() => app.get(DenylistFeed).match({ deviceId: device(id) }) !== undefined);
    expect((await ask(party, id, 'command:receive')).status).toBe(401);
  });
});
