import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect } from '@jest/globals';
import { at, endpoints } from '../harness/endpoints.js';
import { FOLDER, file, inFolder, newDeviceId } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { textOf, thumbprintOf } from '../harness/openssl.js';
import { must } from '../harness/run.js';
import { type Factory, makeDevice } from '../harness/vehicle.js';

const test = itWith(['strongswan-pki', 'openssl']);

/** strongSwan stops at TLS 1.2 unless it is told otherwise. */
describe.each([
  ['1.2', 'TLS 1.2'],
  ['1.3', 'TLS 1.3'],
])("strongSwan's pki, at most TLS %s", (version, negotiated) => {
  const id = newDeviceId(`swan-${version.replace('.', '')}`);
  const name = (file: string) => `${id}-${file}`;
  let factory: Factory;
  let trust: string[];
  let env: { STRONGSWAN_CONF: string };

  beforeAll(async () => {
    factory = await makeDevice(id);
    const bundle = [endpoints.trust.server, endpoints.trust.fleetRoot]
      .map((path) => readFileSync(path, 'utf8'))
      .join('');
    const pems = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? [];
    trust = pems.flatMap((pem, index) => ['--cacert', file(name(`anchor-${index}.pem`), pem)]);
    const own = `libtls {\n  version_max = ${version}\n}\n`;
    env = { STRONGSWAN_CONF: file(name('strongswan.conf'), `${readFileSync('/etc/strongswan.conf', 'utf8')}\n${own}`) };
  });

  const pki = (...args: string[]) => must('pki', args, { env, cwd: FOLDER });

  async function ask(label: string, certificate: string, privateKey: string): Promise<string> {
    const key = file(name(`${label}.key`), (await pki('--gen', '--type', 'ecdsa', '--size', '256')).bytes);
    const request = file(
      name(`${label}.req`),
      (await pki('--req', '--type', 'priv', '--in', key, '--dn', `CN=${id}`)).bytes,
    );
    const files = ['--in', request, '--cert', certificate, '--key', privateKey, '--outform', 'pem', '--debug', '2'];
    const { bytes, stderr } = await pki(
      '--est',
      '--url',
      at('provisioning', 'vehicle'),
      ...trust,
      ...authorities(),
      ...files,
    );
    expect(stderr).toContain(`negotiated ${negotiated} using suite`);
    return file(name(`${label}.crt`), bytes);
  }

  const authorities = () =>
    ['ca.pem', 'ca-1.pem', 'ca-2.pem'].flatMap((one) => {
      const path = inFolder(name(one));
      return exists(path) ? ['--cacert', path] : [];
    });

  test('fetches the CAs', async () => {
    const out = ['--caout', inFolder(name('ca.pem')), '--outform', 'pem', '--force', '--debug', '2'];
    const { stderr } = await pki('--estca', '--url', at('provisioning', 'vehicle'), ...trust, ...out);
    expect(stderr).toContain(`negotiated ${negotiated} using suite`);
    expect(authorities().length).toBeGreaterThanOrEqual(4);
  });

  test('enrols with the factory certificate', async () => {
    const leaf = await ask('one', `${factory.folder}/factory.crt`, factory.key);
    expect(await textOf(leaf)).toContain(`URI:spiffe://fleet.example.com/vehicle/${id}\n`);
  });

  test('renews with the fleet certificate', async () => {
    const renewed = await ask('two', inFolder(name('one.crt')), inFolder(name('one.key')));
    expect(await thumbprintOf(renewed)).not.toBe(await thumbprintOf(inFolder(name('one.crt'))));
  });
});

function exists(path: string): boolean {
  try {
    return readFileSync(path).length > 0;
  } catch {
    return false;
  }
}
