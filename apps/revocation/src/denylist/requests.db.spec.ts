import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { certificateSuperseded, denylistAdd, denylistKey, denylistRemove } from '@outrider/contracts';
import type pg from 'pg';
import { type Revoking, startRevoking } from '../revoke/revoke.fixture.js';
import { publishEvent, type Suite, until } from '../suite.fixture.js';

let ground: Revoking;
let suite: Suite;
let admin: pg.Client;
let provisioning: NatsConnection;
let gateway: NatsConnection;
let token: NatsConnection;
let enrolled: Revoking['enrolled'];
let lastOf: Revoking['lastOf'];

beforeAll(async () => {
  ground = await startRevoking();
  ({ suite, admin, provisioning, enrolled, lastOf } = ground);
  [gateway, token] = (await Promise.all(['gateway', 'token'].map((user) => suite.nats.connectAs(user)))) as [
    NatsConnection,
    NatsConnection,
  ];
}, 60_000);
afterAll(async () => {
  await Promise.all([gateway, token].map((connection) => connection?.close()));
  await ground?.stop();
});

describe('other services', () => {
  const ask = async (connection: NatsConnection, subject: string, payload: object) =>
    (await connection.request(subject, JSON.stringify(payload), { timeout: 5000 })).json() as Record<string, never>;

  it('add and remove what they requested, and never what was revoked', async () => {
    const entry = { kind: 'device', value: 'device-blocked', mode: 'recovery', reason: 'blocked' };
    const added = await ask(gateway, denylistAdd.subject, { entries: [entry], waitMs: 5000 });
    expect(added).toMatchObject({ ok: { pending: [] } });
    expect(lastOf(denylistKey('device', 'device-blocked'))).toMatchObject({ mode: 'recovery' });
    await ask(gateway, denylistRemove.subject, {
      entries: [{ kind: 'device', value: 'device-blocked' }],
      waitMs: 5000,
    });
    expect(lastOf(denylistKey('device', 'device-blocked'))).toMatchObject({ removed: true });
    await suite.post('/revoke', { device_id: 'device-blocked', force: true });
    await ask(gateway, denylistAdd.subject, { entries: [entry], waitMs: 0 });
    await ask(gateway, denylistRemove.subject, {
      entries: [{ kind: 'device', value: 'device-blocked' }],
      waitMs: 5000,
    });
    const left = lastOf(denylistKey('device', 'device-blocked'));
    expect(left).toMatchObject({ mode: 'deny' });
    expect(left).not.toHaveProperty('removed');
  });

  it('have a retired device denied for good, whoever blocks and unblocks it', async () => {
    const name = { kind: 'device', value: 'device-out-of-use' };
    const retired = { ...name, mode: 'deny', reason: 'retired', lasting: true };
    await ask(token, denylistAdd.subject, { entries: [retired], waitMs: 0 });
    const block = { ...name, mode: 'recovery', reason: 'blocked' };
    await ask(gateway, denylistAdd.subject, { entries: [block], waitMs: 0 });
    await ask(gateway, denylistRemove.subject, { entries: [name], waitMs: 5000 });
    const left = lastOf(denylistKey('device', 'device-out-of-use'));
    expect(left).toMatchObject({ mode: 'deny', reason: 'retired' });
    expect(left).not.toHaveProperty('removed');
  });

  it('lift no revocation that a restore found in the bucket alone', async () => {
    const names = ['device-restored', 'device-block-restored'].map((value) => ({ kind: 'device', value }));
    await admin.query(
      `INSERT INTO revocation.denylist_claims (kind, value, source, mode, reason) VALUES
         ('device', 'device-restored', 'bucket', 'deny', 'keyCompromise'),
         ('device', 'device-block-restored', 'bucket', 'deny', 'blocked')`,
    );
    const entries = names.map((name) => ({ ...name, mode: 'deny', reason: 'blocked' }));
    await ask(gateway, denylistAdd.subject, { entries, waitMs: 0 });
    await ask(gateway, denylistRemove.subject, { entries: names, waitMs: 5000 });
    expect(lastOf(denylistKey('device', 'device-restored'))).toMatchObject({ mode: 'deny', reason: 'keyCompromise' });
    expect(lastOf(denylistKey('device', 'device-restored'))).not.toHaveProperty('removed');
    expect(lastOf(denylistKey('device', 'device-block-restored'))).toMatchObject({ removed: true });
  });

  it('are refused values that name nothing', async () => {
    const entries = [{ kind: 'network', value: 'everywhere', mode: 'deny', reason: 'x' }];
    expect(await ask(gateway, denylistAdd.subject, { entries, waitMs: 0 })).toMatchObject({
      error: { code: 'request.invalid' },
    });
  });

  it('have superseded certificates denied, and malformed events set aside', async () => {
    const { ref } = await enrolled('device-renewed');
    await publishEvent(provisioning, certificateSuperseded, { nonsense: true }, 'device-renewed');
    await publishEvent(
      provisioning,
      certificateSuperseded,
      { ref, supersededBy: ref.thumbprint, supersededAt: new Date().toISOString() },
      'device-renewed',
    );
    await until(() => lastOf(denylistKey('certificate', ref.thumbprint)) !== undefined);
    expect(lastOf(denylistKey('certificate', ref.thumbprint))).toMatchObject({ reason: 'superseded' });
    const { rows } = await admin.query('SELECT subject FROM set_aside_messages');
    expect(rows.map(({ subject }) => subject)).toContain(`${certificateSuperseded.subject}.device-renewed`);
  });
});
