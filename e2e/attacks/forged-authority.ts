/** CAs and certificates that an attacker makes for himself, by `openssl ca`. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { file, inFolder } from '../harness/folder.js';
import { joined, newKey } from '../harness/openssl.js';
import { must } from '../harness/run.js';

/** PEM files. */
export interface Authority {
  readonly certificate: string;
  readonly key: string;
}

/** Of `openssl ca`: `YYYYMMDDHHMMSSZ`. */
export interface Validity {
  readonly from: string;
  readonly until: string;
}

export async function newAuthority(name: string, subject: string): Promise<Authority> {
  const key = await newKey(`${name}-ca.key`, 'P-256');
  const { stdout } = await must('openssl', ['req', '-x509', '-key', key, '-subj', subject, '-days', '1']);
  return { key, certificate: file(`${name}-ca.crt`, stdout) };
}

/** A leaf under `authority`, which is presented with it. */
export async function issue(
  authority: Authority,
  name: string,
  subject: string,
  { from, until }: Validity = { from: '20250101000000Z', until: '20401231235959Z' },
): Promise<Authority> {
  const key = await newKey(`${name}.key`, 'P-256');
  const request = file(`${name}.csr`, (await must('openssl', ['req', '-new', '-key', key, '-subj', subject])).stdout);
  const folder = inFolder(`${name}-ca`);
  mkdirSync(folder);
  writeFileSync(`${folder}/index.txt`, '');
  writeFileSync(`${folder}/serial`, `${randomBytes(15).toString('hex').replace(/^./, '1')}\n`);
  const config = file(`${name}.cnf`, configuration(folder, authority));
  const leaf = inFolder(`${name}-leaf.crt`);
  const times = ['-startdate', from, '-enddate', until];
  await must('openssl', ['ca', '-batch', '-notext', '-config', config, ...times, '-in', request, '-out', leaf]);
  // A factory's chain file may hold its leaf first: the issuer is what comes first there.
  const [issuer = ''] =
    readFileSync(authority.certificate, 'utf8').match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n/g) ?? [];
  return { key, certificate: joined(`${name}.crt`, leaf, file(`${name}-issuer.crt`, issuer)) };
}

function configuration(folder: string, { certificate, key }: Authority): string {
  return [
    '[ca]',
    'default_ca = own',
    '[own]',
    `database = ${folder}/index.txt`,
    `serial = ${folder}/serial`,
    `new_certs_dir = ${folder}`,
    `certificate = ${certificate}`,
    `private_key = ${key}`,
    'default_md = sha256',
    'policy = any',
    'unique_subject = no',
    'preserve = yes',
    'x509_extensions = leaf',
    '[any]',
    'commonName = supplied',
    'organizationName = optional',
    'serialNumber = optional',
    '[leaf]',
    'basicConstraints = critical,CA:FALSE',
    'keyUsage = critical,digitalSignature',
    'extendedKeyUsage = clientAuth',
    'authorityKeyIdentifier = keyid',
    'subjectKeyIdentifier = hash',
    '',
  ].join('\n');
}
