import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals';
import { signDer } from '@outrider/crypto';
import { CRL_REASONS, type CrlReason } from './crl-entries.js';
import { readDer } from './der-read.js';
import { commonName, type Fleet, hasOpenssl, issue, NOW, newFleet, newKeyPair, type Party } from './fleet.fixture.js';
import { encodeOcspCertId, type OcspHash } from './ocsp-cert-id.js';
import { createOcspRequest } from './ocsp-request.js';
import { createOcspResponse, type OcspCertStatus, ocspFailure } from './ocsp-response.js';
import { toPem } from './pem.js';

const REVOKED_AT = new Date('2026-03-01T11:30:00Z');
const hourLater = new Date(NOW.getTime() + 3_600_000);

let fleet: Fleet;
let delegate: Party;
let stranger: Party;
let folder: string;
beforeAll(async () => {
  fleet = await newFleet();
  delegate = await issue('ocsp-signer', fleet.vehicleCa, newKeyPair('P-256'), { subject: commonName('ocsp') });
  stranger = await issue('ocsp-signer', (await newFleet()).vehicleCa, newKeyPair('P-256'));
  folder = mkdtempSync(join(tmpdir(), 'outrider-ocsp-response-'));
  for (const [name, { certificate }] of Object.entries(fleet)) {
    writeFileSync(join(folder, `${name}.crt`), toPem(certificate.der, 'CERTIFICATE'));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Given {
  readonly certificate?: OcspCertStatus;
  readonly hash?: OcspHash;
  readonly nonce?: Uint8Array;
  readonly by?: Party;
}

function respond({ certificate = { status: 'good' }, hash = 'sha1', nonce, by = delegate }: Given = {}): Uint8Array {
  const certId = encodeOcspCertId(fleet.vehicleCa.certificate, fleet.vehicle.certificate.serialNumber, hash);
  const single = { certId, certificate, thisUpdate: NOW, nextUpdate: hourLater };
  return createOcspResponse({ responder: by.certificate, producedAt: NOW, responses: [single], nonce }, (tbs) =>
    signDer(by.privateKey, tbs),
  );
}

/** What openssl makes of a response to its question about the vehicle, at the time of the fixture. */
function openssl(response: Uint8Array, request?: Uint8Array): { readonly ok: boolean; readonly text: string } {
  writeFileSync(join(folder, 'response.der'), response);
  if (request) writeFileSync(join(folder, 'request.der'), request);
  const asked = request ? ['-reqin', 'request.der'] : ['-no_nonce', '-issuer', 'vehicleCa.crt', '-cert', 'vehicle.crt'];
  const time = ['-attime', String(NOW.getTime() / 1000), '-validity_period', '2000000000'];
  const args = ['ocsp', ...asked, '-respin', 'response.der'];
  const chain = ['-CAfile', 'root.crt', '-verify_other', 'vehicleCa.crt', ...time];
  try {
    const text = execFileSync('sh', ['-c', `exec openssl "$@" 2>&1`, 'openssl', ...args, ...chain], { cwd: folder });
    return { ok: text.includes('Response verify OK'), text: text.toString() };
  } catch (error) {
    return { ok: false, text: String((error as { stdout?: Buffer }).stdout) };
  }
}

(hasOpenssl() ? describe : describe.skip)('a response, as openssl reads it (skipped without openssl)', () => {
  it.each<[OcspHash, OcspCertStatus, RegExp]>([
    ['sha1', { status: 'good' }, /vehicle\.crt: good/],
    ['sha1', { status: 'unknown' }, /vehicle\.crt: unknown/],
    [
      'sha1',
      { status: 'revoked', revokedAt: REVOKED_AT },
      /vehicle\.crt: revoked[\s\S]*Revocation Time: Mar\s+1 11:30:00 2026/,
    ],
  ])('by %s says %o', (hash, certificate, expected) => {
    const seen = openssl(respond({ hash, certificate }));
    expect(seen).toMatchObject({ ok: true, text: expect.stringMatching(expected) });
    expect(seen.text).toMatch(/This Update: Mar\s+1 12:00:00 2026[\s\S]*Next Update: Mar\s+1 13:00:00 2026/);
  });

  test.each(Object.keys(CRL_REASONS) as CrlReason[])('gives the reason %s', (reason) => {
    const { ok, text } = openssl(respond({ certificate: { status: 'revoked', revokedAt: REVOKED_AT, reason } }));
    expect(ok).toBe(true);
    // openssl has no names for the last two.
    const said = CRL_REASONS[reason] > 8 ? '(UNKNOWN)' : reason;
    expect(/Reason: (\S+)/.exec(text)?.[1]).toBe(reason === 'unspecified' ? undefined : said);
  });

  it('repeats a CertID by SHA-256, and the nonce', () => {
    const { certificate } = fleet.vehicle;
    const nonce = new Uint8Array(32).fill(9);
    const certId = encodeOcspCertId(fleet.vehicleCa.certificate, certificate.serialNumber, 'sha256');
    const request = createOcspRequest([certId], nonce);
    const good = openssl(respond({ hash: 'sha256', nonce }), request);
    expect(good.ok).toBe(true);
    expect(good.text).not.toContain('WARNING');
    expect(openssl(respond({ hash: 'sha256' }), request).text).toContain('WARNING: no nonce in response');
    expect(openssl(respond({ hash: 'sha256', nonce: new Uint8Array(32) }), request).text).toContain(
      'Nonce Verify error',
    );
  });

  it('is believed neither from a vehicle of the fleet nor from the delegate of another', () => {
    const nobody = { certificate: fleet.controlCa.certificate, privateKey: fleet.controlCa.privateKey };
    for (const by of [fleet.vehicle, stranger, nobody]) expect(openssl(respond({ by })).ok).toBe(false);
  });

  it('is not believed with a bit changed', () => {
    const response = respond();
    const at = response.length - delegate.certificate.der.length - 20;
    expect(openssl(Uint8Array.from(response, (byte, i) => (i === at ? byte ^ 1 : byte))).ok).toBe(false);
  });
});

describe('createOcspResponse', () => {
  it('is DER all through, its answers in the order asked', () => {
    const ids = ['0a', '0b', '0c'].map((serial) =>
      encodeOcspCertId(fleet.vehicleCa.certificate, serial as typeof fleet.vehicle.certificate.serialNumber),
    );
    const responses = ids.map((certId) => {
      return { certId, certificate: { status: 'good' } as const, thisUpdate: NOW, nextUpdate: hourLater };
    });
    const description = { responder: delegate.certificate, producedAt: NOW, responses };
    const der = createOcspResponse(description, (tbs) => signDer(delegate.privateKey, tbs));
    const bytes = readDer(der).children[1]?.children[0]?.children[1]?.content as Uint8Array;
    const singles = readDer(bytes).children[0]?.children[2]?.children ?? [];
    expect(singles.map(({ children }) => Buffer.from(children[0]?.der ?? []))).toEqual(
      ids.map((id) => Buffer.from(id)),
    );
  });
});

test.each([
  ['malformedRequest', '30030a0101'],
  ['internalError', '30030a0102'],
  ['tryLater', '30030a0103'],
  ['sigRequired', '30030a0105'],
  ['unauthorized', '30030a0106'],
] as const)('the failure %s is %s', (failure, hex) => {
  expect(Buffer.from(ocspFailure(failure)).toString('hex')).toBe(hex);
});
