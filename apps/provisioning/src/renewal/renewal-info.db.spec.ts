import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals';
import { DeviceId } from '@outrider/ids';
import { issueFactoryDevice, issueVehicle } from '@outrider/testing';
import type { ParsedCertificate } from '@outrider/x509';
import { expectRefused, type Registry, registryOf } from '../est/registry.fixture.js';
import { type Suite, send, startSuite, until } from '../est/suite.fixture.js';

let suite: Suite;
let registry: Registry;

beforeAll(async () => {
  suite = await startSuite();
  registry = registryOf(suite);
}, 60_000);

afterAll(async () => {
  await suite?.stop();
});

type Client = Parameters<typeof send>[2] extends { client?: infer C } | undefined ? C : never;

/** As RFC 9773 §4.1 has it, from the DER of the serial number. */
function idOf({ authorityKeyId = '', serialNumber }: ParsedCertificate): string {
  const signed = Number.parseInt(serialNumber.slice(0, 2), 16) >= 0x80 ? `00${serialNumber}` : serialNumber;
  return [authorityKeyId, signed].map((hex) => Buffer.from(hex, 'hex').toString('base64url')).join('.');
}

const ask = (client: Client, id: string, label = '') =>
  send(suite, `${suite.vehicleUrl}/.well-known/est${label}/renewal-info/${id}`, { client });

describe('renewal-info', () => {
  it('suggests a window within the certificate’s life, as JSON, and says when to ask again', async () => {
    const mine = await registry.enrolled('device-window');
    const answer = await ask(mine, idOf(mine.certificate));
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(48);
    expect(Number(answer.headers['retry-after'])).toBeLessThanOrEqual(72);
    const { suggestedWindow, ...more } = JSON.parse(answer.body);
    expect(more).toEqual({});
    expect(suggestedWindow.start).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const [start, end] = [suggestedWindow.start, suggestedWindow.end].map(Date.parse) as [number, number];
    expect(end).toBeGreaterThan(start);
    expect(start).toBeGreaterThan(Date.now() + 20 * 60_000);
    expect(end).toBeLessThan(mine.certificate.notAfter.getTime());
    const again = await ask(mine, idOf(mine.certificate), '/default');
    expect(again.body).toBe(answer.body);
  });

  it('takes the question for a use of the certificate', async () => {
    const mine = await registry.enrolled('device-use');
    expect(await registry.statusOf('device-use', mine.certificate.thumbprint)).toBe('pending');
    expect((await ask(mine, idOf(mine.certificate))).status).toBe(200);
    expect(await registry.statusOf('device-use', mine.certificate.thumbprint)).toBe('live');
  });

  it('answers the vehicle by its factory certificate, too', async () => {
    const mine = await registry.enrolled('device-factory');
    expect((await ask(mine.factory, idOf(mine.certificate))).status).toBe(200);
  });

  it('answers of a certificate that has lapsed, with a window in the past', async () => {
    const mine = await registry.enrolled('device-lapsed');
    const minute = 60_000;
    const times = { notBefore: new Date(Date.now() - 60 * minute), notAfter: new Date(Date.now() - minute) };
    const lapsed = await issueVehicle(suite.fleet, DeviceId.parse('device-lapsed'), times);
    const { thumbprint, serialNumber, notAfter } = lapsed.certificate;
    const admin = await suite.database.admin();
    await admin.query(
      `UPDATE certificates SET thumbprint = $2, serial_number = $3, created_at = $4, not_before = $4, not_after = $5
       WHERE thumbprint = $1`,
      [mine.certificate.thumbprint, thumbprint, serialNumber, times.notBefore, notAfter],
    );
    await admin.end();
    const answer = await ask(lapsed, idOf(lapsed.certificate));
    expect(answer.status).toBe(200);
    expect(Date.parse(JSON.parse(answer.body).suggestedWindow.end)).toBeLessThan(notAfter.getTime());
  });

  it('tells nobody but the vehicle itself', async () => {
    const [mine, other] = [await registry.enrolled('device-mine'), await registry.enrolled('device-other')];
    const id = idOf(mine.certificate);
    expectRefused(await ask(undefined, id), 401, 'est.certificate_required');
    expectRefused(await ask(other, id), 403, 'est.certificate_refused');
    expectRefused(await ask(other.factory, id), 403, 'est.certificate_refused');
    const unheardOf = await issueVehicle(suite.fleet, DeviceId.parse('device-mine'));
    expectRefused(await ask(unheardOf, id), 403, 'est.certificate_refused');
    expectRefused(await ask(mine, idOf(unheardOf.certificate)), 404, 'est.certificate_unknown');
    const stranger = await issueFactoryDevice(suite.fleet, 'device-stranger');
    expectRefused(await ask(stranger, id), 403, 'est.device_unknown');
    await suite.revocation.deny('certificate', mine.certificate.thumbprint);
    await until(async () => (await ask(mine, id)).status === 403);
    expectRefused(await ask(mine, id), 403, 'denylist.certificate');
  });

  test.each([
    ['est.certificate_id_malformed', 400, 'nonsense', ''],
    ['est.certificate_id_malformed', 400, 'AAAA.', ''],
    ['est.label_unknown', 404, 'AAAA.AQ', '/cars'],
    ['est.certificate_unknown', 404, 'AAAA.AQ', ''],
  ])('%s: %d', async (code, status, id, label) => {
    const name = `device-${status}-${id.length}${label.length}`;
    expectRefused(await ask(await registry.enrolled(name), id, label), status, code);
  });
});
