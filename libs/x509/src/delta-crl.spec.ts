import 'reflect-metadata';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals';
import { signDer } from '@outrider/crypto';
import { type CrlDescription, createCrl } from './create-crl.js';
import type { RevokedEntry } from './crl-entries.js';
import { type Fleet, NOW, newFleet } from './fleet.fixture.js';
import { parseCrl, revocationOf, verifyCrl } from './parse-crl.js';
import { toPem } from './pem.js';

const SHARD = 'http://127.0.0.1:9105/crl/0.crl';
const DELTA = 'http://127.0.0.1:9105/crl/0-delta.crl';
let fleet: Fleet;
let folder: string;
beforeAll(async () => {
  fleet = await newFleet();
  folder = mkdtempSync(join(tmpdir(), 'outrider-delta-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function list(changes: Partial<CrlDescription>): Promise<Uint8Array> {
  const description: CrlDescription = {
    issuer: fleet.vehicleCa.certificate,
    crlNumber: 300,
    thisUpdate: new Date(NOW.getTime() - 1000),
    nextUpdate: new Date(NOW.getTime() + 3_600_000),
    revoked: [],
    distributionPoint: SHARD,
    ...changes,
  };
  return createCrl(description, (tbs) => signDer(fleet.vehicleCa.privateKey, tbs));
}

const full = (...revoked: RevokedEntry[]) => list({ revoked, freshestCrl: DELTA });
const DELTA_OF_300 = { crlNumber: 301, baseCrlNumber: 300 };
const delta = (...revoked: RevokedEntry[]) => list({ revoked, ...DELTA_OF_300 });
const entry = (reason: RevokedEntry['reason']): RevokedEntry => ({
  serialNumber: fleet.vehicle.certificate.serialNumber,
  revokedAt: new Date('2026-03-01T11:30:00Z'),
  reason,
});

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

/** openssl's verdict on the vehicle, by a full list and a delta. */
function openssl(lists: readonly Uint8Array[], ...options: string[]): string {
  const pem = lists.map((der) => toPem(der, 'X509 CRL')).join('');
  const given = ['-CAfile', file('root.pem', toPem(fleet.root.certificate.der, 'CERTIFICATE'))];
  const chain = ['-untrusted', file('ca.pem', toPem(fleet.vehicleCa.certificate.der, 'CERTIFICATE'))];
  const at = ['-attime', String(NOW.getTime() / 1000), '-CRLfile', file('lists.pem', pem)];
  const leaf = file('leaf.pem', toPem(fleet.vehicle.certificate.der, 'CERTIFICATE'));
  const { stdout, stderr } = spawnSync('openssl', [
    ...['verify', '-crl_check', ...options, ...given, ...chain, ...at, leaf],
  ]);
  return `${stdout}${stderr}`;
}

describe('a delta', () => {
  it('says what it goes on from, and is taken for no full list', async () => {
    const crl = parseCrl(await delta(entry('keyCompromise')));
    expect(crl).toMatchObject({ crlNumber: 301n, baseCrlNumber: 300n, freshestCrls: [] });
    verifyCrl(crl, fleet.vehicleCa.certificate, NOW);
    expect(() => revocationOf(fleet.vehicle.certificate, crl, fleet.vehicleCa.certificate, NOW)).toThrow(
      expect.objectContaining({ code: 'x509.extension_invalid' }),
    );
  });

  it('is named by the full list', async () => {
    expect(parseCrl(await full())).toMatchObject({ baseCrlNumber: undefined, freshestCrls: [DELTA] });
  });

  it('has no deltas of its own', async () => {
    const both = await list({ crlNumber: 301, baseCrlNumber: 300, freshestCrl: DELTA });
    expect(() => parseCrl(both)).toThrow(expect.objectContaining({ code: 'x509.malformed' }));
  });
});

const has = (command: string, argument: string) => spawnSync(command, [argument]).error === undefined;
const withOpenssl = has('openssl', 'version') ? describe : describe.skip;
withOpenssl('openssl verify -use_deltas (skipped where openssl is not on the PATH)', () => {
  test('finds revoked what the delta adds, and only when it is asked to look', async () => {
    const lists = [await full(), await delta(entry('keyCompromise'))];
    expect(openssl(lists, '-use_deltas', '-extended_crl')).toContain('certificate revoked');
    expect(openssl(lists.slice(0, 1))).toContain('OK');
  });

  test('finds good what the delta takes off: a hold that was released', async () => {
    const lists = [await full(entry('certificateHold')), await delta(entry('removeFromCRL'))];
    expect(openssl(lists, '-use_deltas', '-extended_crl')).toContain('OK');
    expect(openssl(lists.slice(0, 1))).toContain('certificate revoked');
  });

  test('does not apply a delta to a list that is older than its base', async () => {
    const old = await list({ crlNumber: 299, freshestCrl: DELTA });
    expect(openssl([old, await delta(entry('keyCompromise'))], '-use_deltas', '-extended_crl')).not.toContain(
      'certificate revoked',
    );
  });
});

const withCerttool = has('certtool', '--version') ? describe : describe.skip;
withCerttool('GnuTLS certtool (skipped where certtool is not on the PATH)', () => {
  test.each(['full', 'delta'])('reads and verifies a %s list', async (kind) => {
    // It judges the time by the clock of the machine.
    const now = Date.now();
    const times = { thisUpdate: new Date(now - 1000), nextUpdate: new Date(now + 3_600_000) };
    const der =
      kind === 'full'
        ? await list({ ...times, revoked: [entry('certificateHold')], freshestCrl: DELTA })
        : await list({ ...times, revoked: [entry('removeFromCRL')], ...DELTA_OF_300 });
    const ca = file('ca.pem', toPem(fleet.vehicleCa.certificate.der, 'CERTIFICATE'));
    const crl = file('list.pem', toPem(der, 'X509 CRL'));
    const info = execFileSync('certtool', ['--crl-info', '--infile', crl]).toString();
    expect(info.toLowerCase()).toContain(fleet.vehicle.certificate.serialNumber);
    expect(info).toMatch(kind === 'full' ? /CRL Number.*: 012c/ : /CRL Number.*: 012d/);
    const verify = execFileSync('certtool', ['--verify-crl', '--load-ca-certificate', ca, '--infile', crl]);
    expect(verify.toString()).toContain('Verified');
    const another = file('other.pem', toPem(fleet.controlCa.certificate.der, 'CERTIFICATE'));
    const other = spawnSync('certtool', ['--verify-crl', '--load-ca-certificate', another, '--infile', crl]);
    expect(other.stdout.toString()).not.toMatch(/: Verified/);
  });
});
