import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TrustDomain } from '@outrider/ids';
import { type ParsedCertificate, parseCertificate, parseCertificates, toPem, validateChain } from '@outrider/x509';
import { createAuthorities } from './create-authorities.command.js';
import { issueServers } from './issue-server.command.js';
import { ManifestFile } from './manifest.store.js';
import { activateGeneration, retireGeneration, rollOver } from './roll-over.command.js';

const NOW = new Date();
const trustDomain = TrustDomain.parse('fleet.example.com');
let out: string;

const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);
const ceremony = (now = NOW) => ({ out, trustDomain, passphrase: 'correct horse battery staple 9172', now });
const file = (...names: string[]) => join(out, ...names);
const trust = (name: string) => parseCertificates(readFileSync(file('trust', name), 'utf8'));
const states = (name: string) => new ManifestFile(out).read()[name]?.generations.map(({ state }) => state);
const rollover = (authority: string) => rollOver({ ...ceremony(), authority });
const activate = (authority: string, seconds = 60) =>
  activateGeneration({ ...ceremony(later(seconds)), authority, generation: 2, minWaitSeconds: 60 });
const retire = (authority: string, rule: { seconds?: number; force?: boolean; distrust?: boolean } = {}) =>
  retireGeneration({
    ...ceremony(later(rule.seconds ?? 120)),
    authority,
    generation: 1,
    relianceSeconds: undefined,
    force: rule.force ?? false,
    distrust: rule.distrust ?? false,
  });
const servers = () =>
  issueServers({ ...ceremony(), to: file('services'), services: ['telemetry'], hosts: { dns: [], ips: [] } });
const chain = () => parseCertificates(readFileSync(file('services', 'telemetry.crt'), 'utf8'));

beforeEach(async () => {
  out = mkdtempSync(join(tmpdir(), 'outrider-rollover-'));
  await createAuthorities(ceremony());
  await servers();
});
afterEach(() => rmSync(out, { recursive: true, force: true }));

/** What openssl says of a path: the leaf with what comes along, to these anchors alone. */
function openssl(path: readonly ParsedCertificate[], anchors: readonly ParsedCertificate[], purpose: string): boolean {
  const pem = (name: string, certificates: readonly ParsedCertificate[]) => {
    writeFileSync(file(name), certificates.map(({ der }) => toPem(der, 'CERTIFICATE')).join(''));
    return file(name);
  };
  const [leaf, ...rest] = path;
  const untrusted = rest.length > 0 ? ['-untrusted', pem('untrusted.pem', rest)] : [];
  const { status } = spawnSync('openssl', [
    ...['verify', '-x509_strict', '-no-CAfile', '-no-CApath', '-no-CAstore', '-purpose', purpose],
    ...['-CAfile', pem('anchors.pem', anchors), ...untrusted, pem('leaf.pem', [leaf!])],
  ]);
  return status === 0;
}

/** The same question to our own path validation, which must agree. */
function reaches(anchors: readonly ParsedCertificate[], path = chain()): boolean {
  const [leaf, ...rest] = path;
  const byOpenssl = openssl(path, anchors, 'sslserver');
  const ours = () => validateChain(leaf!, rest, anchors, { now: later(1), purpose: 'serverAuth' });
  if (byOpenssl) ours();
  else expect(ours).toThrow();
  return byOpenssl;
}

describe('an issuing CA', () => {
  it('is published, signs after the wait, and goes when nothing of the old one lives', async () => {
    const [first] = trust('vehicle-ca.crt');
    expect(await rollover('vehicle-ca')).toMatchObject({ generations: { 1: 'active', 2: 'published' } });
    expect(trust('vehicle-ca.crt').map(({ subjectCommonName }) => subjectCommonName)).toEqual([
      'Vehicle Issuing CA',
      'Vehicle Issuing CA 2',
    ]);
    await expect(activate('vehicle-ca', 59)).rejects.toThrow('wait 1 s more');
    await activate('vehicle-ca');
    const [second, outgoing] = trust('vehicle-ca.crt');
    expect([second!.subjectCommonName, outgoing!.thumbprint]).toEqual(['Vehicle Issuing CA 2', first!.thumbprint]);
    expect(second!.keyThumbprint).not.toBe(first!.keyThumbprint);
    expect(openssl([second!], trust('fleet-root.crt'), 'any')).toBe(true);
    await expect(retire('vehicle-ca')).rejects.toThrow('may live until');
    await expect(retire('vehicle-ca', { seconds: 59 + 30 * 86_400 })).rejects.toThrow('may live until');
    await retire('vehicle-ca', { seconds: 60 + 30 * 86_400 });
    expect(new ManifestFile(out).read()['vehicle-ca']?.generations[0]).not.toHaveProperty('listsUntil');
    expect(trust('vehicle-ca.crt').map(({ thumbprint }) => thumbprint)).toEqual([second!.thumbprint]);
  });

  it('keeps the lists of an issuing CA that is retired early until the last of its certificates is over', async () => {
    const listsUntil = (name: string) => new ManifestFile(out).read()[name]?.generations[0]?.listsUntil;
    for (const name of ['vehicle-ca', 'infrastructure-ca']) {
      await rollover(name);
      await activate(name);
      await retire(name, { force: true });
    }
    expect(listsUntil('vehicle-ca')).toBe(later(60 + 30 * 86_400).toISOString());
    expect(listsUntil('infrastructure-ca')).toBeUndefined();
  });

  it('makes nothing twice, whatever is run again', async () => {
    for (const step of [rollover, activate, (name: string) => retire(name, { force: true })]) {
      await step('vehicle-ca');
      const before = [readdirSync(file('trust')), readdirSync(file('keys')), new ManifestFile(out).read()];
      expect(await step('vehicle-ca')).toMatchObject({ made: [] });
      expect([readdirSync(file('trust')), readdirSync(file('keys')), new ManifestFile(out).read()]).toEqual(before);
    }
  });

  it('goes on with a key that a ceremony cut short left behind', async () => {
    await rollover('vehicle-ca');
    const key = readFileSync(file('keys', 'vehicle-ca.2.key'), 'utf8');
    const manifest = new ManifestFile(out);
    const entry = manifest.read()['vehicle-ca']!;
    manifest.put('vehicle-ca', { ...entry, generations: entry.generations.slice(0, 1) });
    rmSync(file('trust', 'vehicle-ca.2.crt'));
    expect(await rollover('vehicle-ca')).toMatchObject({ made: ['trust/vehicle-ca.2.crt'] });
    expect(readFileSync(file('keys', 'vehicle-ca.2.key'), 'utf8')).toBe(key);
  });

  it('refuses to retire the active one, to activate what is gone, and an authority that is not there', async () => {
    await expect(retire('vehicle-ca')).rejects.toThrow('is active');
    await expect(activate('vehicle-ca')).rejects.toThrow('no generation 2');
    await expect(rollover('unknown-ca')).rejects.toThrow('no authority unknown-ca');
    await rollover('vehicle-ca');
    await activate('vehicle-ca');
    await expect(
      activateGeneration({ ...ceremony(), authority: 'vehicle-ca', generation: 1, minWaitSeconds: 0 }),
    ).rejects.toThrow('is outgoing');
  });

  it('gives the services new certificates where it is theirs', async () => {
    const [before] = chain();
    await rollover('infrastructure-ca');
    expect(await servers()).toEqual([]);
    await activate('infrastructure-ca');
    expect(await servers()).toEqual(['telemetry']);
    expect(chain()[0]!.authorityKeyId).not.toBe(before!.authorityKeyId);
    expect(reaches(trust('fleet-root.crt'))).toBe(true);
  });
});

describe('the root', () => {
  it('keeps every client able to verify servers at each step, with either root alone', async () => {
    const old = trust('fleet-root.crt');
    const [leaf] = chain();
    await rollover('fleet-root');
    await servers();
    const young = trust('fleet-root.crt').slice(1);
    expect(young).toHaveLength(1);
    expect(trust('server-trust.pem')).toHaveLength(2);
    expect([reaches(old), reaches(young), reaches([...old, ...young])]).toEqual([true, true, true]);

    await activate('fleet-root');
    expect([reaches(old), reaches(young)]).toEqual([true, true]);
    expect(await servers()).toEqual(['telemetry']);
    expect([reaches(old), reaches(young), reaches([...old, ...young])]).toEqual([true, true, true]);

    await retire('fleet-root', { force: true });
    await servers();
    expect(trust('server-trust.pem').map(({ thumbprint }) => thumbprint)).toEqual([young[0]!.thumbprint]);
    expect([reaches(old), reaches(young)]).toEqual([true, true]);
    // The key of the server has not changed all the while.
    expect(chain()[0]!.thumbprint).toBe(leaf!.thumbprint);
  });

  it('leaves who knows the distrusted root alone behind, and nobody else', async () => {
    const old = trust('fleet-root.crt');
    await rollover('fleet-root');
    await activate('fleet-root');
    await retire('fleet-root', { force: true, distrust: true });
    await servers();
    expect([reaches(old), reaches(trust('fleet-root.crt'))]).toEqual([false, true]);
  });

  it('makes cross certificates that lead from each root to the other, and no further', async () => {
    const [old] = trust('fleet-root.crt');
    await rollover('fleet-root');
    const [, young] = trust('fleet-root.crt');
    const [newWithOld] = trust('fleet-root.new-with-old.crt');
    const [oldWithNew] = trust('fleet-root.old-with-new.crt');
    expect([newWithOld!.keyThumbprint, oldWithNew!.keyThumbprint]).toEqual([young!.keyThumbprint, old!.keyThumbprint]);
    expect([openssl([newWithOld!], [old!], 'any'), openssl([oldWithNew!], [young!], 'any')]).toEqual([true, true]);
    expect([openssl([newWithOld!], [young!], 'any'), openssl([oldWithNew!], [old!], 'any')]).toEqual([false, false]);
    expect(newWithOld!.notAfter <= old!.notAfter).toBe(true);
  });

  it('certifies every authority anew, with the key and the name that it has, and all generations of it', async () => {
    const names = ['vehicle-ca', 'infrastructure-ca', 'control-ca'];
    await rollover('vehicle-ca');
    const identities = () =>
      names.flatMap((name) =>
        trust(`${name}.crt`).map(({ subject, keyThumbprint }) => `${subject.text} ${keyThumbprint}`),
      );
    const before = identities();
    await rollover('fleet-root');
    await activate('fleet-root');
    expect(identities()).toEqual(before);
    const [young] = trust('fleet-root.crt');
    for (const name of names)
      for (const each of trust(`${name}.crt`)) expect(openssl([each], [young!], 'any')).toBe(true);
    expect(states('vehicle-ca')).toEqual(['active', 'published']);
  });

  it('brings who missed two rollovers to the third root', async () => {
    const first = trust('fleet-root.crt');
    await rollover('fleet-root');
    await activate('fleet-root');
    await retire('fleet-root', { force: true });
    const [second] = trust('fleet-root.crt');
    await rollOver({ ...ceremony(later(200)), authority: 'fleet-root' });
    await servers();
    expect([reaches(first), reaches([second!])]).toEqual([true, true]);
    // Two certificates of the second root: openssl tries one, path validation that goes back finds the other.
    const [leaf, ...rest] = chain();
    const third = trust('fleet-root.crt').slice(1);
    expect(validateChain(leaf!, rest, third, { now: later(1), purpose: 'serverAuth' })).toHaveLength(4);
    await activateGeneration({ ...ceremony(later(300)), authority: 'fleet-root', generation: 3, minWaitSeconds: 60 });
    await retireGeneration({
      ...ceremony(later(400)),
      authority: 'fleet-root',
      generation: 2,
      relianceSeconds: 0,
      force: false,
      distrust: false,
    });
    await servers();
    expect(chain()).toHaveLength(4);
    expect([reaches(first), reaches([second!]), reaches(third)]).toEqual([true, true, true]);
    expect(parseCertificate(readFileSync(file('trust', 'fleet-root.3.crt'), 'utf8')).thumbprint).toBe(
      trust('fleet-root.crt')[0]!.thumbprint,
    );
  });
});

it('is run from the command line', () => {
  const command = join(import.meta.dirname, '../ceremony.command.js');
  writeFileSync(file('passphrase'), 'correct horse battery staple 9172\n', { mode: 0o600 });
  const shared = [
    '--out',
    out,
    '--trust-domain',
    trustDomain,
    '--passphrase-file',
    file('passphrase'),
    '--authority',
    'vehicle-ca',
  ];
  const run = (...given: string[]) =>
    JSON.parse(execFileSync(process.execPath, [command, ...given, ...shared]).toString());
  expect(run('rollover').generations).toEqual({ 1: 'active', 2: 'published' });
  const early = spawnSync(process.execPath, [command, 'activate', ...shared, '--generation', '2']);
  expect([early.status, early.stderr.toString()]).toEqual([1, expect.stringContaining('wait')]);
  expect(run('activate', '--generation', '2', '--min-wait', '0').generations).toEqual({ 1: 'outgoing', 2: 'active' });
  expect(run('retire', '--generation', '1', '--force').generations).toEqual({ 1: 'retired', 2: 'active' });
  expect(spawnSync(process.execPath, [command, 'retire', ...shared]).status).toBe(2);
});
