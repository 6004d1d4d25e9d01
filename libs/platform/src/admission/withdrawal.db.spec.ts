import { randomUUID } from 'node:crypto';
import https from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { type Decision } from '@outrider/contracts';
import { DeviceId } from '@outrider/ids';
import { issueVehicle, type Party, type TestFleet, until } from '@outrider/testing';
import { claims, now, operatorClaims, sign } from './access-token.fixture.js';
import { A, AdmissionGround, code } from './admission-ground.fixture.js';
import { readDecisions } from './decision-log.fixture.js';
import { DenylistFeed } from './denylist-feed.client.js';

let ground: AdmissionGround;
let fleet: TestFleet;
let gateway: NatsConnection;
let a: Party;
const decisions: Decision[] = [];

beforeAll(async () => {
  ground = await AdmissionGround.start();
  ({ a } = ground);
  ({ fleet } = ground.ground);
  gateway = await ground.ground.nats.connectAs('gateway');
}, 60_000);

afterAll(async () => {
  await gateway?.close();
  await ground?.stop();
});

const ask: AdmissionGround['ask'] = (path, asked) => ground.ask(path, asked);

describe('a new denylist entry', () => {
  it.each(['certificate', 'key', 'device'] as const)(
    'closes the live connection and refuses the %s (attack 14)',
    async (kind) => {
      const device = DeviceId.parse(`stolen-${kind}`);
      const party = await issueVehicle(fleet, device);
      const { thumbprint, keyThumbprint } = party.certificate;
      const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
      const token = sign(claims(party, device));
      expect((await ask('/token', { party, token, agent })).status).toBe(200);
      const socket = Object.values(agent.freeSockets)[0]![0]!;
      const closed = new Promise((resolve) => socket.once('close', resolve));
      await ground.denylist.deny({
        kind,
        value: { certificate: thumbprint, key: keyThumbprint, device: device as string }[kind],
      });
      // How soon is measured by the suites that run it all (e2e/05-revoke); here, that it is closed at all.
      await closed;
      const answer = await ask('/token', { party, token });
      expect({ status: answer.status, code: code(answer) }).toEqual({ status: 403, code: `denylist.${kind}` });
      expect((await ask('/token', { party: a, token: sign(claims(a, A)) })).status).toBe(200);
      agent.destroy();
    },
  );

  it('leaves a device in recovery mode the routes marked so', async () => {
    const device = DeviceId.parse('quarantined');
    const party = await issueVehicle(fleet, device);
    const token = sign(claims(party, device));
    await ground.denylist.deny({ kind: 'device', value: device, mode: 'recovery' });
    await until(() => ground.app.get(DenylistFeed).match({ deviceId: device }) !== undefined);
    expect(await ask('/devices/quarantined', { party, token })).toMatchObject({
      status: 200,
      body: '{"deviceId":"quarantined","recovery":true}',
    });
    expect(code(await ask('/token', { party, token }))).toBe('denylist.device');
  });

  it("ends an operator's token", async () => {
    const jti = randomUUID();
    const token = sign(operatorClaims({ jti }));
    expect((await ask('/fleet', { listener: 'operator', token })).status).toBe(200);
    await ground.denylist.deny({ kind: 'token', value: jti });
    await until(async () => (await ask('/fleet', { listener: 'operator', token })).status === 401);
  });
});

describe('a request that waits', () => {
  it('ends when its token is withdrawn, which closes no connection', async () => {
    const jti = randomUUID();
    const waiting = ask('/waits', { party: a, token: sign(claims(a, A, { jti })) });
    await ground.denylist.deny({ kind: 'token', value: jti });
    const answer = await waiting;
    expect({ status: answer.status, code: code(answer) }).toEqual({ status: 401, code: 'denylist.token' });
  });

  it('ends with its token', async () => {
    const answer = await ask('/waits', { party: a, token: sign(claims(a, A, { exp: now() + 2 })) });
    expect({ status: answer.status, code: code(answer) }).toEqual({ status: 401, code: 'auth.token_expired' });
  });

  it('ends when the feed grows too old for control', async () => {
    const waiting = ask('/waits', { party: a, token: sign(claims(a, A)) });
    ground.denylist.stopBeating();
    const answer = await waiting;
    ground.denylist.startBeating();
    expect({ status: answer.status, code: code(answer) }).toEqual({ status: 503, code: 'revocation.stale' });
    await until(() => ground.app.get(DenylistFeed).freshness() === 'fresh');
  }, 20_000);
});

it('reports each first deny to the decision log, with its code', async () => {
  await until(async () => {
    decisions.push(...(await readDecisions(gateway, 'telemetry')));
    return decisions.some((decision) => decision.code === 'denylist.key');
  });
  expect(decisions).toContainEqual(
    expect.objectContaining({ decision: 'deny', code: 'denylist.certificate', deviceId: 'stolen-certificate' }),
  );
});
