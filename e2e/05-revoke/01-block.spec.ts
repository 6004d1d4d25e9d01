import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { type Answer, curlLine } from '../harness/curl.js';
import { at, VEHICLE_SERVICES } from '../harness/endpoints.js';
import { itWith } from '../harness/installed.js';
import { operator, operatorToken } from '../harness/operator.js';
import { outrider, outriderJson } from '../harness/outrider.js';
import {
  attempt,
  isRefused,
  type Loot,
  loot,
  type OpenConnection,
  openConnection,
  refusals,
} from '../harness/theft.js';
import { until } from '../harness/until.js';
import { Vehicle } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);
const WITHIN_MS = 1000;

describe('block and unblock', () => {
  let vehicle: Vehicle;
  let goods: Loot;
  let connections: OpenConnection[];

  beforeAll(async () => {
    vehicle = await Vehicle.enrol('blocked');
    goods = await loot(vehicle);
    connections = await Promise.all(VEHICLE_SERVICES.map((service) => openConnection(vehicle, service)));
  });
  afterAll(() => {
    for (const connection of connections ?? []) connection.close();
  });

  const stateOf = async () => (await outriderJson<{ state: string }>('device', 'show', vehicle.id)).state;

  test('before: every service answers', async () => {
    const answers = await attempt(vehicle, goods);
    expect(Object.values(answers).map(({ status }) => status)).toEqual([200, 200, 200, 204]);
  });

  test('the call of the manual, as it is written, shuts the vehicle out everywhere', async () => {
    const line = `curl -X POST ${at('gateway', 'operator')}/admin/block -H "Authorization: Bearer $ADMIN_TOKEN" -d '{"device_id":"${vehicle.id}","thumbprint":"${await vehicle.thumbprint()}"}'`;
    const sinceMs = performance.now();
    const [answer, seen, ...closed] = await Promise.all([
      curlLine(line, { ADMIN_TOKEN: operatorToken() }),
      refusals(vehicle, goods, sinceMs),
      ...connections.map((connection) => connection.closed),
    ]);
    expect({ status: answer.status, body: answer.json() }).toMatchObject({
      status: 200,
      body: { device_id: vehicle.id, blocked: true, mode: 'recovery', pending: [] },
    });
    for (const service of VEHICLE_SERVICES) {
      expect({ service, ...seen[service] }).toMatchObject({ service, code: 'denylist.device' });
      expect(seen[service].ms).toBeLessThan(WITHIN_MS);
    }
    for (const ms of closed) expect(ms - sinceMs).toBeLessThan(WITHIN_MS);
  });

  test('the registry says quarantined, and the block is listed', async () => {
    await until('quarantined', async () => (await stateOf()) === 'quarantined');
    const { body } = await operator('gateway', 'GET', '/v1/blocks?limit=1000');
    expect(body.items).toContainEqual(expect.objectContaining({ device_id: vehicle.id }));
  });

  test('the denials are in the decision log of every service, with their code', async () => {
    for (const service of VEHICLE_SERVICES) {
      await until(`a denial by ${service}`, async () => {
        const query = `device=${vehicle.id}&code=denylist.device&service=${service}`;
        return (await operator('gateway', 'GET', `/v1/decisions?${query}`)).body.items.length > 0;
      });
    }
    const { stdout } = await outrider('decisions', '--device', vehicle.id, '--code', 'denylist.device');
    expect(stdout).toContain('denylist.device');
  });

  test('unblock wants a reason, and gives everything back', async () => {
    const unblock = (body: object): Promise<Answer> =>
      curlLine(
        `curl -X POST ${at('gateway', 'operator')}/admin/unblock -H "Authorization: Bearer $ADMIN_TOKEN" -d '${JSON.stringify(body)}'`,
        { ADMIN_TOKEN: operatorToken() },
      );
    const bare = await unblock({ device_id: vehicle.id, reason: '' });
    expect({ status: bare.status, code: bare.json().code }).toEqual({ status: 400, code: 'gateway.reason_required' });
    expect(Object.values(await attempt(vehicle, goods)).every(isRefused)).toBe(true);
    const answer = await unblock({ device_id: vehicle.id, reason: 'the owner has it back' });
    expect({ status: answer.status, body: answer.json() }).toMatchObject({ status: 200, body: { blocked: false } });
    await until('active', async () => (await stateOf()) === 'active');
    goods = await loot(vehicle);
    expect(Object.values(await attempt(vehicle, goods)).map(({ status }) => status)).toEqual([200, 200, 200, 204]);
    const again = await unblock({ device_id: vehicle.id, reason: 'once more' });
    expect({ status: again.status, code: again.json().code }).toEqual({ status: 409, code: 'gateway.not_blocked' });
  });

  test('the command line blocks and unblocks too', async () => {
    expect(await outriderJson('block', vehicle.id)).toMatchObject({ device_id: vehicle.id, blocked: true });
    const seen = await refusals(vehicle, goods, performance.now());
    expect(Object.values(seen).every(isRefused)).toBe(true);
    expect(await outriderJson('unblock', vehicle.id, '--reason', 'a test')).toMatchObject({ blocked: false });
  });

  test('refuses a device that nobody knows, a certificate of another, an operator without a token', async () => {
    const url = `${at('gateway', 'operator')}/admin/block`;
    const block = (body: object, token = operatorToken()) =>
      curlLine(`curl -X POST ${url} -H "Authorization: Bearer $ADMIN_TOKEN" -d '${JSON.stringify(body)}'`, {
        ADMIN_TOKEN: token,
      });
    const unknown = await block({ device_id: `${vehicle.id}-x` });
    expect({ status: unknown.status, code: unknown.json().code }).toEqual({
      status: 404,
      code: 'provisioning.device_not_found',
    });
    const conflict = await block({ device_id: vehicle.id, thumbprint: 'A'.repeat(43) });
    expect({ status: conflict.status, code: conflict.json().code }).toEqual({
      status: 409,
      code: 'gateway.target_conflict',
    });
    expect((await block({ device_id: vehicle.id }, 'x.y.z')).status).toBe(401);
    expect(Object.values(await attempt(vehicle, await loot(vehicle))).some(isRefused)).toBe(false);
  });
});
