import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deviceChanged } from '@outrider/contracts';
import { CommandId, DeviceId } from '@outrider/ids';
import { newDevice, RIGHTS, type Suite, startSuite, until } from '../command.fixture.js';
import { DeliveryService } from '../delivery/delivery.service.js';
import { DueService } from '../schedule/due.service.js';
import { CommandReader } from './command-reader.service.js';

let suite: Suite;

beforeAll(async () => {
  suite = await startSuite();
}, 60_000);
afterAll(async () => {
  await suite?.stop();
});

const send = (...args: Parameters<Suite['send']>) => suite.send(...args);
const countOf = async (device: DeviceId) =>
  (await suite.app.get(CommandReader).list(device, undefined, 50)).items.length;

async function admin<Row extends object>(sql: string, parameters: unknown[] = []): Promise<Row[]> {
  const client = await suite.database.admin();
  try {
    return (await client.query<Row>(sql, parameters)).rows;
  } finally {
    await client.end();
  }
}

describe('an idempotency key', () => {
  it('of 100 parallel requests makes one command and 100 equal answers, and is refused with another body', async () => {
    const device = newDevice();
    const answers = await Promise.all(Array.from({ length: 100 }, () => send(device, { name: 'honk' }, 'key-1')));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toMatchObject({ device_id: device, state: 'queued', parameters: { times: 1 } });
    expect(await countOf(device)).toBe(1);
    for (const body of [{ name: 'locate' }, { name: 'fly' }])
      await expect(send(device, body, 'key-1')).rejects.toMatchObject({
        code: 'command.idempotency_mismatch',
        status: 422,
      });
  });

  it('gives the same answer whatever has become of the command, and of the right to send it', async () => {
    const device = newDevice();
    const first = await send(device, { name: 'unlock' }, 'key-2');
    await suite.cancel(first.id);
    expect(await suite.stateOf(first.id)).toBe('cancelled');
    expect(await send(device, { name: 'unlock' }, 'key-2', 'op:1', ['command:send'])).toEqual(first);
  });

  it('is its operator’s own', async () => {
    const device = newDevice();
    const mine = await send(device, { name: 'honk' }, 'key-3', 'op:1');
    expect((await send(device, { name: 'honk' }, 'key-3', 'op:2')).id).not.toBe(mine.id);
  });

  it('stays free where the request was refused', async () => {
    const device = DeviceId.parse('device-nogrant');
    await expect(send(device, { name: 'honk' }, 'key-4')).rejects.toMatchObject({ code: 'command.device_unavailable' });
    const other = newDevice();
    expect((await send(other, { name: 'honk' }, 'key-4')).device_id).toBe(other);
  });

  it('is forgotten after 24 hours and not before, swept or not', async () => {
    const device = newDevice();
    const age = (hours: number) =>
      admin(`UPDATE command.idempotency_keys SET created_at = now() - make_interval(mins => $1) WHERE key = 'key-5'`, [
        hours * 60,
      ]);
    const first = await send(device, { name: 'honk' }, 'key-5');
    await age(23);
    await suite.app.get(DueService).forgetKeys(new Date());
    expect(await send(device, { name: 'honk' }, 'key-5')).toEqual(first);
    await age(25);
    const second = await send(device, { name: 'locate' }, 'key-5');
    expect(second.id).not.toBe(first.id);
    await age(25);
    expect(await suite.app.get(DueService).forgetKeys(new Date())).toBeGreaterThanOrEqual(1);
    expect(await admin(`SELECT 1 FROM command.idempotency_keys WHERE key = 'key-5'`)).toEqual([]);
  });

  it('of a version that kept no answers answers from its command', async () => {
    const device = newDevice();
    const first = await send(device, { name: 'honk' }, 'key-6');
    await admin(`UPDATE command.idempotency_keys SET answer = NULL, command_id = $1 WHERE key = 'key-6'`, [first.id]);
    expect(await send(device, { name: 'honk' }, 'key-6')).toEqual(first);
  });
});

describe('refused', () => {
  it.each([
    [{ name: 'fly' }, 'command.unknown_name'],
    [{ name: 'honk', parameters: { times: 99 } }, 'command.parameters_invalid'],
    [{ name: 'honk', not_before: '2999-01-01T00:00:00Z' }, 'request.invalid'],
  ])('%j -> %s', async (request, code) => {
    await expect(send(newDevice(), request)).rejects.toMatchObject({ code });
  });

  it('a command that is for other roles', async () => {
    const partner = { roles: ['partner'], secondFactor: false, elevated: false };
    await expect(send(newDevice(), { name: 'unlock' }, undefined, 'op:p', RIGHTS, partner)).rejects.toMatchObject({
      code: 'auth.role_insufficient',
      status: 403,
    });
    expect(await send(newDevice(), { name: 'honk' }, undefined, 'op:p', RIGHTS, partner)).toMatchObject({
      state: 'queued',
    });
  });

  it('a vehicle that has as many open commands as it may have', async () => {
    const device = newDevice();
    await send(device, { name: 'honk' });
    await admin(
      `INSERT INTO command.commands (id, device_id, name, parameters, critical, state, requested_by, created_at,
         expires_at, timeout_seconds)
       SELECT gen_random_uuid(), $1, 'honk', '{}', false, 'queued', 'op:1', now(), now() + interval '1 hour', 30
       FROM generate_series(1, 19999)`,
      [device],
    );
    await expect(send(device, { name: 'honk' })).rejects.toMatchObject({ code: 'command.queue_full', status: 429 });
  });
});

describe('a command for later', () => {
  it('waits until it is due, lets others by, and its time to live counts from there', async () => {
    const device = newDevice();
    const at = new Date(Date.now() + 3_600_000);
    const later = await send(device, { name: 'honk', not_before: at.toISOString(), expires_in: 60 });
    expect(later).toMatchObject({
      not_before: at.toISOString(),
      expires_at: new Date(at.getTime() + 60_000).toISOString(),
    });
    expect(await suite.deliver(device)).toBeUndefined();
    const now = await send(device, { name: 'locate' });
    expect(await suite.deliver(device)).toMatchObject({ id: now.id });
    await admin('UPDATE command.commands SET not_before = now() WHERE id = $1', [later.id]);
    await admin(`UPDATE command.commands SET state = 'failed' WHERE id = $1`, [now.id]);
    expect(await suite.deliver(device)).toMatchObject({ id: later.id });
  });

  it('is told to its vehicle’s connection when its time has come', async () => {
    const device = newDevice();
    const hearer = await suite.nats.connectAs('command');
    const heard: string[] = [];
    hearer.subscribe(`command.delivery.offered.v1.${device}`, {
      callback: (_error, msg) => void heard.push(JSON.parse(msg.string()).commandId),
    });
    await hearer.flush();
    const { id } = await send(device, { name: 'honk', not_before: new Date(Date.now() + 1500).toISOString() });
    await until(() => heard.filter((one) => one === id).length >= 2, 20_000);
    await hearer.close();
  });
});

describe('a quarantined vehicle', () => {
  it('is sent recovery commands alone, and gets no other one that was sent before', async () => {
    const device = newDevice();
    const before = await send(device, { name: 'honk' });
    const critical = await send(device, { name: 'unlock' });
    const provisioning = await suite.nats.connectAs('provisioning');
    const quarantined = {
      deviceId: device,
      state: 'quarantined',
      grants: ['command:receive', 'command:critical'],
      attestation: 'none',
      labels: [],
      minEpoch: 0,
      version: 2,
      changedAt: new Date().toISOString(),
    };
    provisioning.publish(`${deviceChanged.subject}.${device}`, JSON.stringify(quarantined));
    suite.gateway.tell(device, { state: 'quarantined' });
    await until(async () => {
      const rows = await admin(`SELECT 1 FROM command.devices WHERE device_id = $1 AND state = 'quarantined'`, [
        device,
      ]);
      return rows.length === 1;
    }, 20_000);
    await provisioning.close();
    for (const name of ['honk', 'unlock'])
      await expect(send(device, { name })).rejects.toMatchObject({ code: 'command.device_unavailable' });
    const { id } = await send(device, { name: 'recover' });
    const delivery = suite.app.get(DeliveryService);
    expect(await delivery.next(device, true, true)).toEqual({ id, critical: true, expires_at: expect.any(Number) });
    const asked = { deviceId: device, mayCritical: true, recovery: true };
    await expect(delivery.answerNonce(CommandId.parse(critical.id), asked, 'n'.repeat(22))).rejects.toMatchObject({
      code: 'denylist.device',
    });
    const { jws } = (await delivery.answerNonce(CommandId.parse(id), asked, 'n'.repeat(22))) as { jws: string };
    expect(JSON.parse(Buffer.from(jws.split('.')[1]!, 'base64url').toString())).toMatchObject({ name: 'recover' });
    expect(await suite.stateOf(before.id)).toBe('queued');
  });
});
