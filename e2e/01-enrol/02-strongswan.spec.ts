import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect } from '@jest/globals';
import { at, endpoints } from '../harness/endpoints.js';
import { file, inFolder, newDeviceId } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { textOf, thumbprintOf } from '../harness/openssl.js';
import { must } from '../harness/run.js';
import { type Factory, makeDevice } from '../harness/vehicle.js';

const test = itWith(['strongswan-pki', 'openssl', 'curl']);

describe("with strongSwan's pki", () => {
  const id = newDeviceId('swan');
  const url = at('provisioning', 'vehicle');
  let factory: Factory;
  /** One option for each anchor of the server's certificate. */
  let trust: string[];
  let authorities: string[];

  beforeAll(async () => {
    factory = await makeDevice(id);
    trust = anchors('server', endpoints.trust.server);
  });

  test('estca fetches the CAs', async () => {
    await must('pki', ['--estca', '--url', url, ...trust, '--caout', inFolder('swan-ca.pem'), '--outform', 'pem']);
    const written = ['swan-ca.pem', 'swan-ca-1.pem'].map((name) => inFolder(name)).filter(exists);
    authorities = written.flatMap((path) => ['--cacert', path]);
    expect(authorities.length).toBeGreaterThanOrEqual(2);
  });

  test('est enrols with the factory certificate', async () => {
    const leaf = await ask('one', `${factory.folder}/factory.crt`, factory.key);
    expect(await textOf(leaf)).toContain(`URI:spiffe://fleet.example.com/vehicle/${id}\n`);
  });

  test('est renews with the fleet certificate', async () => {
    const renewed = await ask('two', inFolder('one.crt'), inFolder('one.key'));
    expect(await thumbprintOf(renewed)).not.toBe(await thumbprintOf(inFolder('one.crt')));
    expect(await textOf(renewed)).toContain(`URI:spiffe://fleet.example.com/vehicle/${id}\n`);
  });

  async function ask(name: string, certificate: string, privateKey: string): Promise<string> {
    const key = file(`${name}.key`, (await must('pki', ['--gen', '--type', 'ecdsa', '--size', '256'])).bytes);
    const request = await must('pki', ['--req', '--type', 'priv', '--in', key, '--dn', `CN=${id}`]);
    const { bytes } = await must('pki', [
      ...['--est', '--url', url, ...trust, ...anchors('root', endpoints.trust.fleetRoot), ...authorities],
      ...['--in', file(`${name}.req`, request.bytes), '--cert', certificate, '--key', privateKey, '--outform', 'pem'],
    ]);
    return file(`${name}.crt`, bytes);
  }
});

function anchors(name: string, bundle: string): string[] {
  const certificates =
    readFileSync(bundle, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? [];
  return certificates.flatMap((pem, index) => ['--cacert', file(`${name}-${index}.pem`, pem)]);
}

function exists(path: string): boolean {
  try {
    return readFileSync(path).length > 0;
  } catch {
    return false;
  }
}
