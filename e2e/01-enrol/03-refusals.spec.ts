import { beforeAll, describe, expect } from '@jest/globals';
import { type ClientFiles, curl } from '../harness/curl.js';
import { at } from '../harness/endpoints.js';
import { file, newDeviceId } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { newKey, newRequest } from '../harness/openssl.js';
import { operator } from '../harness/operator.js';
import { outrider, outriderJson } from '../harness/outrider.js';
import { must } from '../harness/run.js';
import { until } from '../harness/until.js';
import { est, type Factory, makeDevice, Vehicle } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);

describe('who gets no certificate', () => {
  const id = newDeviceId('refused');
  let factory: Factory;
  let body: string;
  let enrolled: Vehicle;

  beforeAll(async () => {
    factory = await makeDevice(id);
    body = await newRequest(await newKey('refused.key', 'P-256'), `/CN=${id}`);
    enrolled = await Vehicle.enrol('refused-other');
  });

  async function expectRefused(
    [operation, request, client]: [string, string, ClientFiles | undefined],
    status: number,
    code: string,
  ): Promise<void> {
    const answer = await est(operation, request, client);
    expect({ status: answer.status, code: answer.body.split(':')[0] }).toEqual({ status, code });
    expect(answer.headers['content-type']).toContain('text/plain');
  }

  async function selfMade(name: string, subject: string): Promise<ClientFiles> {
    const key = await newKey(`${name}.key`, 'P-256');
    const { stdout } = await must('openssl', ['req', '-x509', '-key', key, '-subj', subject, '-days', '1']);
    return { key, certificate: file(`${name}.crt`, stdout) };
  }

  test('one without a certificate', () =>
    expectRefused(['simpleenroll', body, undefined], 401, 'est.certificate_required'));

  test('one who made the factory certificate at home', async () => {
    const own = await selfMade('home-made', `/O=Demo Motors/serialNumber=DM-${id.toUpperCase()}/CN=${id}`);
    await expectRefused(['simpleenroll', body, own], 403, 'est.manufacturer_unknown');
  });

  test('a fleet certificate in place of a factory one', () =>
    expectRefused(['simpleenroll', body, enrolled], 403, 'est.certificate_refused'));

  test('a device that nobody registered', async () => {
    const unknown = newDeviceId('unregistered');
    const own = await makeDevice(unknown, '--no-register');
    const request = await newRequest(await newKey('unregistered.key', 'P-256'), `/CN=${unknown}`);
    await expectRefused(['simpleenroll', request, own], 403, 'est.device_unknown');
    const { code, stderr } = await outrider('device', 'show', unknown);
    expect({ code, known: /no such device/.test(stderr) }).toEqual({ code: 1, known: true });
  });

  test('a request in the name of another device, by subject or by SAN', async () => {
    const key = await newKey('names.key', 'P-256');
    const other = await newRequest(key, `/CN=${enrolled.id}`);
    await expectRefused(['simpleenroll', other, factory], 400, 'est.csr_name_mismatch');
    const uri = `subjectAltName=URI:spiffe://fleet.example.com/vehicle/${enrolled.id}`;
    const both = await newRequest(key, `/CN=${id}`, ['-addext', uri]);
    await expectRefused(['simpleenroll', both, factory], 400, 'est.csr_name_mismatch');
  });

  test('a request to be a CA, one with a weak key, one that is none', async () => {
    const ca = ['-addext', 'basicConstraints=critical,CA:TRUE'];
    const authority = await newRequest(await newKey('ca.key', 'P-256'), `/CN=${id}`, ca);
    await expectRefused(['simpleenroll', authority, factory], 400, 'est.csr_authority_refused');
    const { stdout } = await must('openssl', ['genrsa', '2048']);
    const weak = await newRequest(file('weak.key', stdout), `/CN=${id}`);
    await expectRefused(['simpleenroll', weak, factory], 400, 'est.csr_key_refused');
    await expectRefused(['simpleenroll', 'bm90aGluZw==', factory], 400, 'est.csr_malformed');
  });

  test('nothing was lost by that: the device enrols', async () => {
    expect(await est('simpleenroll', body, factory)).toMatchObject({ status: 200 });
    expect(await outriderJson('device', 'show', id)).toMatchObject({ state: 'active' });
  });

  test('a factory certificate, once the fleet certificate has been used', async () => {
    await enrolled.token();
    // The word that the certificate was used travels by event.
    await until('the certificate is live', async () => {
      const { certificates } = await outriderJson<{ certificates: { status: string }[] }>(
        'device',
        'show',
        enrolled.id,
      );
      return certificates[0]?.status === 'live';
    });
    const request = await newRequest(await newKey('second.key', 'P-256'), `/CN=${enrolled.id}`);
    await expectRefused(['simpleenroll', request, enrolled.factory], 403, 'est.certificate_refused');
  });

  test('the refusals are in the decision log, with their codes', async () => {
    for (const code of ['est.certificate_required', 'est.manufacturer_unknown', 'est.device_unknown']) {
      const { status, body: log } = await operator('gateway', 'GET', `/v1/decisions?service=provisioning&code=${code}`);
      expect(status).toBe(200);
      expect(log.items.length).toBeGreaterThan(0);
    }
  });

  test('other methods and routes', async () => {
    const base = `${at('provisioning', 'vehicle')}/.well-known/est`;
    expect((await curl(`${base}/simpleenroll`, [], factory)).status).toBe(405);
    expect((await curl(`${base}/fullcmc`, ['-d', 'x'], factory)).status).toBe(404);
    expect((await curl(`${at('provisioning', 'vehicle')}/v1/devices`, [], factory)).status).toBe(404);
  });
});
