import { describe, expect } from '@jest/globals';
import { curl } from '../harness/curl.js';
import { at } from '../harness/endpoints.js';
import { file } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { certificatesOf, newKey, newRequest } from '../harness/openssl.js';
import { outriderJson } from '../harness/outrider.js';
import { until } from '../harness/until.js';
import { est, Vehicle } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);
const codeOf = (body: string) => body.split(':', 1)[0];

interface Shown {
  readonly state: string;
  readonly certificates: readonly { readonly thumbprint: string; readonly status: string }[];
}
interface Finding {
  readonly kind: string;
  readonly certain: boolean;
  readonly quarantined: boolean;
}
const show = (id: string) => outriderJson<Shown>('device', 'show', id);
const findings = async (id: string) =>
  (await outriderJson<{ items: readonly Finding[] }>('finding', 'list', '--device', id)).items;

/** With a certificate that the platform saw in use. */
async function inUse(vehicle: Vehicle): Promise<Vehicle> {
  await vehicle.token();
  const thumbprint = await vehicle.thumbprint();
  await until('it is in use', async () =>
    (await show(vehicle.id)).certificates.some((one) => one.thumbprint === thumbprint && one.status === 'live'),
  );
  return vehicle;
}
async function renew(vehicle: Vehicle, path: string, name: string) {
  const key = await newKey(`${vehicle.id}-${name}.key`, 'P-256');
  const answer = await est(path, await newRequest(key, `/CN=${vehicle.id}`), vehicle);
  const next = async () => {
    const [leaf = ''] = await certificatesOf(answer.body);
    return new Vehicle(vehicle.id, key, file(`${vehicle.id}-${name}.crt`, leaf), vehicle.factory);
  };
  return { answer, next };
}

describe('findings', () => {
  test('a factory certificate while a fleet certificate is in use: one finding, however often', async () => {
    const vehicle = await inUse(await Vehicle.enrol('clone-factory'));
    for (const name of ['a', 'b']) {
      const request = await newRequest(await newKey(`${vehicle.id}-${name}.key`, 'P-256'), `/CN=${vehicle.id}`);
      const answer = await est('simpleenroll', request, vehicle.factory);
      expect([answer.status, codeOf(answer.body)]).toEqual([403, 'est.certificate_refused']);
    }
    expect(await findings(vehicle.id)).toMatchObject([
      { kind: 'factory_certificate_while_live', certain: true, quarantined: false },
    ]);
    expect((await show(vehicle.id)).state).toBe('active');
  });

  test('two overlapping renewals quarantine the device under `guarded`: it renews nothing and gets no token', async () => {
    const vehicle = await inUse(await Vehicle.enrol('clone-guarded'));
    const mine = await (await renew(vehicle, 'guarded/simplereenroll', 'mine')).next();
    await inUse(mine);
    const { answer } = await renew(vehicle, 'guarded/simplereenroll', 'theirs');
    expect([answer.status, codeOf(answer.body)]).toEqual([403, 'est.certificate_refused']);
    expect(await findings(vehicle.id)).toMatchObject([
      { kind: 'overlapping_renewals', certain: true, quarantined: true },
    ]);
    expect((await show(vehicle.id)).state).toBe('quarantined');
    await until('the denylist names it', async () => (await mine.askToken()).status >= 400);
    const refused = await renew(mine, 'guarded/simplereenroll', 'late');
    expect(refused.answer.status).toBe(403);
  });

  test('what a vehicle does by itself quarantines nothing, even there', async () => {
    const vehicle = await Vehicle.enrol('no-clone');
    const key = await newKey(`${vehicle.id}-retry.key`, 'P-256');
    const request = await newRequest(key, `/CN=${vehicle.id}`);
    const url = `${at('provisioning', 'vehicle')}/.well-known/est/guarded/simplereenroll`;
    const args = ['-H', 'Content-Type: application/pkcs10', '--data-binary', request];
    // A lost answer, asked for again from other networks; a handover alone says nothing.
    for (const address of ['127.0.0.1', '127.0.1.1', '127.0.2.1', '127.0.0.1'])
      expect((await curl(url, ['--interface', address, ...args], vehicle)).status).toBe(200);
    expect(await findings(vehicle.id)).toEqual([]);
    // Another key from another network is looked at, and served.
    const other = await newRequest(await newKey(`${vehicle.id}-other.key`, 'P-256'), `/CN=${vehicle.id}`);
    const again = ['-H', 'Content-Type: application/pkcs10', '--data-binary', other];
    expect((await curl(url, ['--interface', '127.0.3.1', ...again], vehicle)).status).toBe(200);
    const kinds = (await findings(vehicle.id)).map(({ kind, certain }) => `${kind} ${certain}`).sort();
    expect(kinds).toEqual(['identity_in_two_places false', 'overlapping_renewals false']);
    expect((await show(vehicle.id)).state).toBe('active');
  });
});
