import { beforeAll, describe, expect, it } from '@jest/globals';
import { elevatedToken } from '../harness/elevation.js';
import { newDeviceId } from '../harness/folder.js';
import { operator } from '../harness/operator.js';
import { outrider } from '../harness/outrider.js';
import { sleep, until } from '../harness/until.js';
import { makeDevice, Vehicle } from '../harness/vehicle.js';

describe('the rules of sending', () => {
  let id: string;

  beforeAll(async () => {
    id = (await Vehicle.enrol('rules')).id;
  });

  const send = async (key: string, body: object, device = id) =>
    operator('command', 'POST', `/v1/vehicles/${device}/commands`, {
      body,
      token: await elevatedToken('command:send-critical'),
      headers: { 'idempotency-key': key },
    });

  it('one key, one command: a hundred requests at once get the same answer', async () => {
    const key = newDeviceId('key');
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => send(key, { name: 'honk', parameters: { times: 1 } })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const { body } = await operator('command', 'GET', `/v1/vehicles/${id}/commands`);
    expect(body.items).toHaveLength(1);
  });

  it('the same key with another body is refused', async () => {
    const key = newDeviceId('key');
    expect((await send(key, { name: 'honk' })).status).toBe(202);
    expect(await send(key, { name: 'locate' })).toMatchObject({
      status: 422,
      body: { code: 'command.idempotency_mismatch' },
    });
  });

  it('a key is required', async () => {
    const body = { name: 'honk' };
    const answer = await operator('command', 'POST', `/v1/vehicles/${id}/commands`, { body });
    expect(answer).toMatchObject({ status: 400, body: { code: 'command.idempotency_key_required' } });
  });

  it('refuses what the catalogue has not, and parameters that do not fit', async () => {
    const wrong = [
      [{ name: 'self-destruct' }, 'command.unknown_name'],
      [{ name: 'honk', parameters: { times: 6 } }, 'command.parameters_invalid'],
      [{ name: 'set-interval' }, 'command.parameters_invalid'],
      [{ name: 'honk', parameters: { times: 1, loud: true } }, 'command.parameters_invalid'],
    ] as const;
    for (const [body, code] of wrong)
      expect(await send(newDeviceId('key'), body)).toMatchObject({ status: 400, body: { code } });
  });

  it('refuses a vehicle that nobody knows, and one without the grant', async () => {
    const unknown = await send(newDeviceId('key'), { name: 'honk' }, newDeviceId('nobody'));
    expect(unknown).toMatchObject({ status: 404, body: { code: 'provisioning.device_not_found' } });
    const bare = newDeviceId('bare');
    await makeDevice(bare, '--grant', 'command:receive');
    expect((await send(newDeviceId('key'), { name: 'honk' }, bare)).status).toBe(202);
    const critical = await send(newDeviceId('key'), { name: 'unlock' }, bare);
    expect(critical).toMatchObject({ status: 409, body: { code: 'command.device_unavailable' } });
  });

  it('is cancelled before its release, once', async () => {
    const { body } = await send(newDeviceId('key'), { name: 'unlock' });
    const cancelled = await operator('command', 'POST', `/v1/commands/${body.id}/cancel`);
    expect(cancelled).toMatchObject({ status: 200, body: { state: 'cancelled' } });
    const again = await operator('command', 'POST', `/v1/commands/${body.id}/cancel`);
    expect(again).toMatchObject({ status: 409, body: { code: 'command.state_conflict' } });
  });

  it('expires when nobody fetches it in time', async () => {
    const { body } = await send(newDeviceId('key'), { name: 'honk', expires_in: 1 });
    await sleep(1000);
    await until('expired', async () => {
      const shown = await operator('command', 'GET', `/v1/commands/${body.id}`);
      return shown.body.state === 'expired';
    });
  });

  it('the command line says in its exit code why nothing was sent', async () => {
    expect((await outrider('command', 'send', id, 'self-destruct')).code).toBe(1);
    expect((await outrider('command', 'send')).code).toBe(2);
  });
});
