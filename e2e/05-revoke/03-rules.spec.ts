import { beforeAll, describe, expect } from '@jest/globals';
import { SERVICES } from '../harness/endpoints.js';
import { file } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { certificatesOf, newKey, newRequest, serialOf } from '../harness/openssl.js';
import { operator } from '../harness/operator.js';
import { outrider, outriderJson } from '../harness/outrider.js';
import { isRefused, loot, refusals } from '../harness/theft.js';
import { est, Vehicle } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);
const revoke = (body: object) => operator('revocation', 'POST', '/revoke', { body });

describe('the rules of revoking', () => {
  let vehicle: Vehicle;

  beforeAll(async () => {
    vehicle = await Vehicle.enrol('rules');
  });

  test('one certificate alone, for any other reason: its successor stays', async () => {
    const key = await newKey('successor.key', 'P-256');
    const answer = await est('simplereenroll', await newRequest(key, `/CN=${vehicle.id}`), vehicle);
    const successor = new Vehicle(
      vehicle.id,
      key,
      file('successor.crt', (await certificatesOf(answer.body))[0] ?? ''),
      vehicle.factory,
    );
    const goods = await loot(vehicle);
    const colons = (await serialOf(vehicle.certificate)).replace(/(..)(?=.)/g, '$1:');
    expect(await revoke({ serial: colons, reason: 'superseded' })).toMatchObject({
      status: 200,
      body: { revoked: [{ thumbprint: await vehicle.thumbprint(), device_id: vehicle.id }], reason: 'superseded' },
    });
    expect(Object.values(await refusals(vehicle, goods, performance.now())).every(isRefused)).toBe(true);
    expect((await successor.askToken()).status).toBe(200);
    vehicle = successor;
  });

  test('by thumbprint; empty strings count as absent', async () => {
    const other = await Vehicle.enrol('rules-thumbprint');
    const goods = await loot(other);
    const body = { serial: '', device_id: '', thumbprint: await other.thumbprint(), reason: 'cessation-of-operation' };
    expect(await revoke(body)).toMatchObject({ status: 200, body: { revoked: [{ device_id: other.id }] } });
    expect(Object.values(await refusals(other, goods, performance.now())).every(isRefused)).toBe(true);
  });

  test('a whole device, by the command line, until every instance enforces it', async () => {
    const other = await Vehicle.enrol('rules-device');
    const answer = await outriderJson<{ enforcedBy: { instance: string }[]; pending: object[] }>(
      ...['revoke', '--device', other.id, '--reason', 'cessation-of-operation', '--wait-enforced'],
    );
    expect(answer.pending).toEqual([]);
    const services = new Set(answer.enforcedBy.map(({ instance }) => instance.replace(/-[0-9a-f]+$/, '')));
    expect([...services].sort()).toEqual([...SERVICES].sort());
    const refused = await other.askToken();
    expect({ status: refused.status, code: refused.json().code }).toEqual({
      status: 401,
      code: 'denylist.certificate',
    });
  });

  test('refuses nothing named, names that disagree, an unknown serial, an unknown reason, unknown members', async () => {
    const thumbprint = await vehicle.thumbprint();
    const other = await Vehicle.enrol('rules-other');
    const cases = [
      [{ reason: 'key-compromise' }, 400, 'revocation.target_missing'],
      [{ thumbprint, device_id: other.id, reason: 'superseded' }, 409, 'revocation.target_conflict'],
      [{ serial: '7b1d2c3e4f5061728394a5b6c7d8e9f0', reason: 'superseded' }, 404, 'revocation.certificate_unknown'],
      [{ thumbprint, reason: 'boredom' }, 400, 'revocation.reason_unknown'],
      [{ thumbprint, reason: 'superseded', really: true }, 400, 'request.invalid'],
    ] as const;
    for (const [body, status, code] of cases) expect(await revoke(body)).toMatchObject({ status, body: { code } });
    expect((await vehicle.askToken()).status).toBe(200);
  });

  test('the command line says in its exit code what it could not do', async () => {
    expect((await outrider('revoke', '--reason', 'superseded')).code).toBe(2);
    expect(
      (await outrider('revoke', '--serial', '7b1d2c3e4f5061728394a5b6c7d8e9f0', '--reason', 'superseded')).code,
    ).toBe(1);
  });
});
