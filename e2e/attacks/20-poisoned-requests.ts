import { X509Certificate } from 'node:crypto';
import { deniedInLog } from '../harness/decisions.js';
import { file, newDeviceId } from '../harness/folder.js';
import { certificatesOf, newKey, newRequest } from '../harness/openssl.js';
import { must } from '../harness/run.js';
import { est, makeDevice } from '../harness/vehicle.js';
import { attack, type Trial } from './attack.js';
import { unharmed, victim } from './cast.js';
import { said } from './said.js';

const P256_POINT = Buffer.from('03420004', 'hex');

/** The request with one byte turned: `at` counts from the end where it is negative. */
function turned(request: string, at: (der: Buffer) => number): string {
  const der = Buffer.from(request, 'base64');
  const index = at(der);
  der[index < 0 ? der.length + index : index]! ^= 1;
  return der.toString('base64');
}

async function otherKey(name: string, ...args: string[]): Promise<string> {
  return file(name, (await must('openssl', ['genpkey', ...args])).stdout);
}

async function poisoned(id: string, other: string, key: string): Promise<[string, RegExp, string][]> {
  const uri = (device: string) => `URI:spiffe://fleet.example.com/vehicle/${device}`;
  const withNames = (names: string) => newRequest(key, `/CN=${id}`, ['-addext', `subjectAltName=${names}`]);
  const good = await newRequest(key, `/CN=${id}`);
  const mismatch = /^400 est\.csr_name_mismatch$/;
  const weak = /^400 est\.csr_key_refused$/;
  const broken = /^400 est\.csr_(signature_invalid|malformed|key_refused)$/;
  const plain = (...args: string[]) => otherKey(`weak-${args.at(-1)?.split(':').at(-1)}.key`, ...args);
  const rsa = await plain('-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024');
  const koblitz = await plain('-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1');
  const small = await plain('-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:prime192v1');
  const explicit = await otherKey(
    'explicit.key',
    '-algorithm',
    'EC',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-pkeyopt',
    'ec_param_enc:explicit',
  );
  return [
    ["another's name", mismatch, await newRequest(key, `/CN=${other}`)],
    ['two names', mismatch, await newRequest(key, `/CN=${id}/CN=${other}`)],
    ["another's URI", mismatch, await withNames(uri(other))],
    ['both URIs', mismatch, await withNames(`${uri(id)},${uri(other)}`)],
    ["a service's URI", mismatch, await withNames('URI:spiffe://fleet.example.com/service/command')],
    [
      'CA:TRUE',
      /^400 est\.csr_authority_refused$/,
      await newRequest(key, `/CN=${id}`, ['-addext', 'basicConstraints=critical,CA:TRUE']),
    ],
    [
      'keyCertSign',
      /^(400 est\.csr_authority_refused)$/,
      await newRequest(key, `/CN=${id}`, ['-addext', 'keyUsage=critical,keyCertSign,cRLSign']),
    ],
    ['RSA 1024', weak, await newRequest(rsa, `/CN=${id}`)],
    ['secp256k1', weak, await newRequest(koblitz, `/CN=${id}`)],
    ['P-192', weak, await newRequest(small, `/CN=${id}`)],
    ['explicit curve parameters', /^400 est\.csr_(key_refused|malformed)$/, await newRequest(explicit, `/CN=${id}`)],
    ['a point off the curve', broken, turned(good, (der) => der.indexOf(P256_POINT) + P256_POINT.length + 63)],
    ['a broken signature', broken, turned(good, () => -1)],
    ['a name changed after signing', broken, turned(good, (der) => der.indexOf(id) + id.length - 1)],
    ['bytes after it', broken, Buffer.concat([Buffer.from(good, 'base64'), Buffer.from([0])]).toString('base64')],
    ['half of it', broken, good.slice(0, 100)],
  ];
}

/** What the profile drops: it is signed, and not as asked. */
async function dropped(trial: Trial, id: string, factory: { certificate: string; key: string }): Promise<void> {
  const key = await newKey('extras.key', 'P-256');
  const asked = [
    `subjectAltName=DNS:provisioning.fleet.example.com,IP:127.0.0.1,email:root@example.com`,
    'extendedKeyUsage=serverAuth,codeSigning',
    'keyUsage=digitalSignature,keyEncipherment',
  ];
  const request = await newRequest(
    key,
    `/C=XX/O=Platform/OU=Admins/CN=${id}`,
    asked.flatMap((one) => ['-addext', one]),
  );
  const answer = await est('simpleenroll', request, factory);
  trial.check('extras', '200', said(answer));
  const leaf = new X509Certificate((await certificatesOf(answer.body))[0] ?? '');
  const only = leaf.subjectAltName === `URI:spiffe://fleet.example.com/vehicle/${id}` && leaf.subject === `CN=${id}`;
  trial.must('names that were asked for', only, [leaf.subject, leaf.subjectAltName]);
  const usages = leaf.keyUsage?.join();
  trial.must('usages that were asked for', usages === '1.3.6.1.5.5.7.3.2' && !leaf.ca, usages, 'extras dropped');
}

export const poisonedRequests = attack(
  20,
  "sends a CSR for another vehicle's name, with extra SANs, with CA:TRUE, with a weak or invalid-curve key, with a broken self-signature",
  'refused each, or the extras dropped as the profile says, never signed as asked',
  async (trial) => {
    const [id, car] = [newDeviceId('poisoner'), await victim()];
    const factory = await makeDevice(id);
    for (const [what, wanted, request] of await poisoned(id, car.id, await newKey('poison.key', 'P-256')))
      trial.check(what, wanted, said(await est('simpleenroll', request, factory)));
    for (const label of ['open', 'approve']) {
      const name = await newRequest(await newKey(`poison-${label}.key`, 'P-256'), `/CN=${car.id}`);
      const at = said(await est(`${label}/simpleenroll`, name, factory));
      trial.check(`another's name, at ${label}`, '400 est.csr_name_mismatch', at);
    }
    const theirs = said(await est('simpleenroll', await newRequest(car.vehicle.key, `/CN=${id}`), factory));
    trial.check("another vehicle's key", '400 est.csr_key_refused', theirs);
    await deniedInLog('est.csr_name_mismatch', { device: id, service: 'provisioning' });
    await dropped(trial, id, factory);
    await unharmed(trial);
  },
);
