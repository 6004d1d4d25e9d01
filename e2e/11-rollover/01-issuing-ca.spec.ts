import { afterAll, describe, expect } from '@jest/globals';
import { activeGeneration, ca, caStep } from '../harness/ca.js';
import { curl } from '../harness/curl.js';
import { at, endpoints } from '../harness/endpoints.js';
import { file, inFolder } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { certificatesOf, joined, newKey, newRequest, serialOf, textOf } from '../harness/openssl.js';
import { outriderJson } from '../harness/outrider.js';
import { must, run } from '../harness/run.js';
import { sleep, until } from '../harness/until.js';
import { est, Vehicle } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);
/** The runbook waits a minute; every service looks at its trust files each two seconds. */
const WAIT_SECONDS = 6;
const SERVED = { token: 200, telemetry: 200, command: 204 };

/** Hex of a key identifier, as openssl prints the extension. */
async function keyId(certificate: string, extension: 'subjectKeyIdentifier' | 'authorityKeyIdentifier') {
  const { stdout } = await must('openssl', ['x509', '-in', certificate, '-noout', '-ext', extension]);
  return /(?:[0-9A-F]{2}:){19}[0-9A-F]{2}/.exec(stdout)?.[0] ?? '';
}

/** What `/cacerts` hands out, each in a file, by its subject key identifier. */
async function caCertificates(): Promise<Map<string, string>> {
  const { body } = await curl(`${at('provisioning', 'vehicle')}/.well-known/est/cacerts`);
  const files = (await certificatesOf(body)).map((pem, i) => file(`cacert-${i}.pem`, pem));
  return new Map(await Promise.all(files.map(async (one) => [await keyId(one, 'subjectKeyIdentifier'), one] as const)));
}

async function issuerOf({ certificate }: Vehicle): Promise<string> {
  const issuer = (await caCertificates()).get(await keyId(certificate, 'authorityKeyIdentifier'));
  if (!issuer) throw new Error('cacerts does not hold the issuer');
  return issuer;
}

/** What each service that vehicles speak to says to this one. */
async function everywhere(vehicle: Vehicle): Promise<Record<string, number>> {
  const answer = await vehicle.askToken('telemetry:write');
  if (answer.status !== 200) return { token: answer.status };
  const window = await vehicle.send('telemetry', 'GET', '/v1/telemetry/window', answer.json().access_token);
  const next = await vehicle.send('command', 'GET', '/v1/commands/next?wait=0', await vehicle.token('command:receive'));
  return { token: 200, telemetry: window.status, command: next.status };
}

/** The vehicle's own list by curl: verified by openssl under the vehicle's issuer, and then its text. */
async function crlOf(vehicle: Vehicle): Promise<{ url: string; pem: string; text: string }> {
  const url = /URI:(http:\S+\.crl)/.exec(await textOf(vehicle.certificate))?.[1] ?? '';
  const der = inFolder(`${vehicle.id}.crl`);
  await must('curl', ['-sSf', '--retry', '5', '--retry-all-errors', '-o', der, url]);
  const args = ['crl', '-inform', 'DER', '-in', der, '-CAfile', await issuerOf(vehicle), '-verify'];
  const { stdout, stderr } = await must('openssl', [...args, '-text']);
  expect(stderr + stdout).toContain('verify OK');
  const pem = file(`${vehicle.id}.crl.pem`, stdout.slice(stdout.indexOf('-----BEGIN X509 CRL')));
  return { url, pem, text: stdout };
}

/** openssl's word on certificate, chain and list. */
async function verified(vehicle: Vehicle): Promise<string> {
  const { pem } = await crlOf(vehicle);
  const anchors = joined(`${vehicle.id}-anchors.pem`, endpoints.trust.fleetRoot, await issuerOf(vehicle), pem);
  const strict = ['verify', '-x509_strict', '-crl_check', '-no-CApath', '-no-CAstore'];
  const { stdout, stderr } = await run('openssl', [...strict, '-CAfile', anchors, vehicle.certificate]);
  return stdout + stderr;
}

async function renewed(vehicle: Vehicle): Promise<Vehicle> {
  const key = await newKey(`${vehicle.id}-2.key`, 'P-256');
  const answer = await est('simplereenroll', await newRequest(key, `/CN=${vehicle.id}`), vehicle);
  if (answer.status !== 200) throw new Error(`not renewed: ${answer.status} ${answer.body}`);
  const [leaf = ''] = await certificatesOf(answer.body);
  return new Vehicle(vehicle.id, key, file(`${vehicle.id}-2.crt`, leaf), vehicle.factory);
}

describe('the vehicle issuing CA rolls over', () => {
  let [before, next] = [0, 0];
  let [old, young, late, lost]: Vehicle[] = [];
  afterAll(() => Promise.all([old, young, late, lost].map((vehicle) => vehicle?.close())));

  test('a new generation is published: known to all, and signing nothing', async () => {
    before = await activeGeneration('vehicle-ca');
    const known = (await caCertificates()).size;
    [old, late, lost] = await Promise.all(['rolls', 'late', 'lost'].map((name) => Vehicle.enrol(name)));
    const { generations } = await caStep('rollover', 'vehicle-ca');
    next = Math.max(...Object.keys(generations).map(Number));
    expect([generations[before], generations[next]]).toEqual(['active', 'published']);
    expect((await caStep('rollover', 'vehicle-ca')).made).toEqual([]);
    await until('cacerts holds it', async () => (await caCertificates()).size === known + 1);
    const other = await Vehicle.enrol('still');
    expect(await issuerOf(other)).toBe(await issuerOf(old!));
    const early = await ca('activate', 'vehicle-ca', String(next));
    expect([early.code, early.stderr]).toEqual([1, expect.stringContaining('wait')]);
  });

  test('it signs after the wait, and certificates of both serve everywhere', async () => {
    await sleep(WAIT_SECONDS * 1000);
    await caStep('activate', 'vehicle-ca', String(next), '--min-wait', String(WAIT_SECONDS));
    young = await until('the new generation signs', async () => {
      const vehicle = await Vehicle.enrol('young');
      return (await issuerOf(vehicle)) !== (await issuerOf(old!)) && vehicle;
    });
    expect([await everywhere(old!), await everywhere(young)]).toEqual([SERVED, SERVED]);
  });

  test('each generation has lists of its own, and openssl verifies certificate, chain and list', async () => {
    const [oldList, youngList] = [await crlOf(old!), await crlOf(young!)];
    expect(youngList.url).not.toBe(oldList.url);
    expect(youngList.url).toMatch(/\/crl\/[0-9a-f]{16}-\d+\.crl$/);
    expect([await verified(old!), await verified(young!)]).toEqual([
      expect.stringMatching(/: OK\n$/),
      expect.stringMatching(/: OK\n$/),
    ]);
    for (const vehicle of [lost!, young!]) {
      const serial = (await serialOf(vehicle.certificate)).toUpperCase();
      await outriderJson('revoke', '--device', vehicle.id, '--reason', 'key-compromise');
      await until('the list names it', async () =>
        (await crlOf(vehicle)).text.toUpperCase().includes(`SERIAL NUMBER: ${serial}`),
      );
      expect(await verified(vehicle)).toContain('certificate revoked');
      expect((await everywhere(vehicle)).token).not.toBe(200);
    }
  });

  test('a vehicle renews from the old generation to the new', async () => {
    const moved = await renewed(old!);
    await old!.close();
    expect(await issuerOf(moved)).toBe(await issuerOf(young!));
    old = moved;
    expect(await everywhere(old)).toEqual(SERVED);
  });

  test('the old generation goes, by force before its time, and with it who came by it', async () => {
    expect(await everywhere(late!)).toEqual(SERVED);
    const early = await ca('retire', 'vehicle-ca', String(before));
    expect([early.code, early.stderr]).toEqual([1, expect.stringContaining('may live until')]);
    await caStep('retire', 'vehicle-ca', String(before), '--force');
    await until('it is refused', async () => (await everywhere(late!)).token !== 200);
    expect(await everywhere(old!)).toEqual(SERVED);
  });
});
