import 'reflect-metadata';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, test } from '@jest/globals';
import { signDer } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import * as x509 from '@peculiar/x509';
import { type CrlDescription, createCrl } from './create-crl.js';
import { type Fleet, hasOpenssl, NOW, newFleet, newSerial, vectorFolder } from './fleet.fixture.js';
import { parseCertificate } from './parse-certificate.js';
import { parseCrl, revocationOf } from './parse-crl.js';
import { pemBlocks, toPem } from './pem.js';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await newFleet();
});

const SHARD = 'http://127.0.0.1:9105/crl/0.crl';

function newCrl(overrides: Partial<CrlDescription> = {}): Promise<Uint8Array> {
  const description: CrlDescription = {
    issuer: fleet.vehicleCa.certificate,
    crlNumber: 300,
    thisUpdate: new Date(NOW.getTime() - 1000),
    nextUpdate: new Date(NOW.getTime() + 3_600_000),
    revoked: [],
    distributionPoint: SHARD,
    ...overrides,
  };
  return createCrl(description, (tbs) => signDer(fleet.vehicleCa.privateKey, tbs));
}

const entryFor = () => ({
  serialNumber: fleet.vehicle.certificate.serialNumber,
  revokedAt: new Date('2026-03-01T11:30:00Z'),
  reason: 'keyCompromise' as const,
});

describe('createCrl', () => {
  it('lists what was revoked, and nothing else', async () => {
    const crl = parseCrl(await newCrl({ revoked: [{ serialNumber: newSerial(), revokedAt: NOW }, entryFor()] }));
    expect(crl).toMatchObject({
      crlNumber: 300n,
      scope: { uris: [SHARD] },
      nextUpdate: new Date(NOW.getTime() + 3_600_000),
    });
    expect(crl.revoked.size).toBe(2);
    expect(revocationOf(fleet.vehicle.certificate, crl, fleet.vehicleCa.certificate, NOW)).toEqual(entryFor());
  });

  it('is a valid list when nothing is revoked', async () => {
    const crl = parseCrl(await newCrl());
    expect(revocationOf(fleet.vehicle.certificate, crl, fleet.vehicleCa.certificate, NOW)).toBeUndefined();
  });

  it('is read by the ASN.1 library as we meant it', async () => {
    const oracle = new x509.X509Crl(Buffer.from(await newCrl({ revoked: [entryFor()] })));
    const publicKey = new x509.PublicKey(Buffer.from(fleet.vehicleCa.certificate.spkiDer));
    expect(await oracle.verify({ publicKey })).toBe(true);
    expect(oracle.entries.map(({ serialNumber, reason }) => [serialNumber, reason])).toEqual([
      [entryFor().serialNumber, x509.X509CrlReason.keyCompromise],
    ]);
  });

  it.each([
    ['another issuer', async () => ({ crl: await newCrl({ issuer: fleet.controlCa.certificate }), now: NOW })],
    ['another shard', async () => ({ crl: await newCrl({ distributionPoint: `${SHARD}x` }), now: NOW })],
    ['the past', async () => ({ crl: await newCrl(), now: new Date(NOW.getTime() + 3_601_000) })],
    ['the future', async () => ({ crl: await newCrl(), now: new Date(NOW.getTime() - 2000) })],
  ])('decides nothing when it is of %s', async (_, make) => {
    const { crl, now } = await make();
    expect(() => revocationOf(fleet.vehicle.certificate, parseCrl(crl), fleet.vehicleCa.certificate, now)).toThrow(
      DomainError,
    );
  });
});

const withOpenssl = hasOpenssl() ? describe : describe.skip;
withOpenssl('createCrl before openssl (skipped where openssl is not on the PATH)', () => {
  test.each([
    ['revoked', true],
    ['good', false],
  ])('openssl finds the vehicle %s', async (_, isRevoked) => {
    const folder = mkdtempSync(join(tmpdir(), 'outrider-crl-'));
    try {
      const file = (name: string, pem: string) => {
        writeFileSync(join(folder, name), pem);
        return join(folder, name);
      };
      const { root, vehicleCa, vehicle } = fleet;
      const crl = await newCrl({ revoked: isRevoked ? [entryFor()] : [] });
      const verify = () =>
        execFileSync(
          'openssl',
          [
            'verify',
            '-crl_check',
            '-attime',
            String(NOW.getTime() / 1000),
            '-CAfile',
            file('root.pem', toPem(root.certificate.der, 'CERTIFICATE')),
            '-untrusted',
            file('ca.pem', toPem(vehicleCa.certificate.der, 'CERTIFICATE')),
            '-CRLfile',
            file('crl.pem', toPem(crl, 'X509 CRL')),
            file('leaf.pem', toPem(vehicle.certificate.der, 'CERTIFICATE')),
          ],
          { stdio: ['ignore', 'pipe', 'pipe'] },
        ).toString();
      if (isRevoked) expect(verify).toThrow(/certificate revoked/);
      else expect(verify()).toContain('OK');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

const vectors = vectorFolder('crl');
const withVectors = vectors === undefined ? describe.skip : describe;
/** Cases on which we differ, and why. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  'good_issuer_name_normalization.pem':
    'names are compared byte for byte; a CA that spells its own name in two ways is not ours',
};

withVectors('CRLs of BoringSSL (skipped where ../shared/vectors/crl is absent)', () => {
  const names = vectors === undefined ? ['absent'] : readdirSync(vectors).filter((name) => name.endsWith('.pem'));

  test.each(names)('%s', (name) => {
    const pem = readFileSync(join(vectors ?? '', name), 'utf8');
    const expected = name.startsWith('good');
    expect(decides(pem)).toBe(EXCEPTIONS[name] === undefined ? expected : !expected);
  });
});

/** Whether the list decides about the leaf under either CA certificate: a key rollover leaves two of one name. */
function decides(pem: string): boolean {
  const cas = ['CA CERTIFICATE', 'CA CERTIFICATE 2'].flatMap((label) => pemBlocks(pem, label));
  return cas.some((ca) => {
    try {
      const [leaf] = pemBlocks(pem, 'CERTIFICATE');
      const [list] = pemBlocks(pem, 'CRL');
      revocationOf(parseCertificate(leaf!), parseCrl(list!), parseCertificate(ca), new Date('2017-03-09T00:00:00Z'));
      return true;
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      return false;
    }
  });
}
