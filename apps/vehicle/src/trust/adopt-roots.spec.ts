import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { signDer } from '@outrider/crypto';
import { SerialNumber } from '@outrider/ids';
import { issueCertificate, OID, type ParsedCertificate, toPem } from '@outrider/x509';
import { rootsGone, rootsVouchedFor } from './adopt-roots.js';
import { AnchorStore } from './anchors.store.js';

const NOW = new Date();
const DAY_MS = 86_400_000;

interface Root {
  readonly certificate: ParsedCertificate;
  readonly privateKey: KeyObject;
  readonly spkiDer: Uint8Array;
}

async function sign(
  profile: 'root' | 'root-cross',
  spkiDer: Uint8Array,
  issuer: Root | KeyObject,
  days = 30,
  notBefore = new Date(NOW.getTime() - 60 * DAY_MS),
) {
  const isRoot = !('certificate' in issuer);
  return issueCertificate(
    {
      profile,
      serialNumber: SerialNumber.parse(`7${randomBytes(16).toString('hex').slice(1)}`),
      subject: [{ type: OID.commonName, value: 'Fleet Root CA' }],
      spkiDer,
      notBefore,
      notAfter: new Date(NOW.getTime() + days * DAY_MS),
    },
    isRoot ? 'self' : issuer.certificate,
    (tbs) => signDer(isRoot ? issuer : issuer.privateKey, tbs),
  );
}

async function makeRoot(days = 30): Promise<Root> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const spkiDer = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
  return { certificate: await sign('root', spkiDer, privateKey, days), privateKey, spkiDer };
}

let [old, young, third, stranger, expired]: Root[] = [];
const cross = (subject: Root, issuer: Root, days?: number) => sign('root-cross', subject.spkiDer, issuer, days);
const names = (certificates: readonly ParsedCertificate[]) => certificates.map(({ thumbprint }) => thumbprint);

beforeAll(async () => {
  [old, young, third, stranger, expired] = await Promise.all([
    makeRoot(),
    makeRoot(),
    makeRoot(),
    makeRoot(),
    makeRoot(-1),
  ]);
});

describe('rootsVouchedFor', () => {
  const learn = (trusted: readonly Root[], offered: readonly ParsedCertificate[]) =>
    names(
      rootsVouchedFor(
        trusted.map(({ certificate }) => certificate),
        offered,
        NOW,
        'any',
      ),
    );

  it('learns a new root by NewWithOld, and an old one by OldWithNew', async () => {
    expect(learn([old!], [young!.certificate, await cross(young!, old!)])).toEqual(names([young!.certificate]));
    expect(learn([young!], [old!.certificate, await cross(old!, young!)])).toEqual(names([old!.certificate]));
  });

  it('learns over several rollovers at once, in whatever order they stand', async () => {
    const offered = [third!.certificate, await cross(third!, young!), young!.certificate, await cross(young!, old!)];
    expect(learn([old!], offered).sort()).toEqual(names([young!.certificate, third!.certificate]).sort());
  });

  it.each<[string, () => Promise<ParsedCertificate[]>]>([
    ['has no cross certificate', async () => [young!.certificate]],
    [
      'is vouched for by a stranger',
      async () => [young!.certificate, stranger!.certificate, await cross(young!, stranger!)],
    ],
    ['is vouched for by itself', async () => [young!.certificate, await cross(old!, young!)]],
    ['is not the one vouched for', async () => [stranger!.certificate, await cross(young!, old!)]],
    ['comes with a cross certificate that is over', async () => [young!.certificate, await cross(young!, old!, -1)]],
    ['is over itself', async () => [expired!.certificate, await cross(expired!, old!)]],
    ['is not there', async () => [await cross(young!, old!)]],
  ])('learns no root that %s', async (_, offered) => {
    expect(learn([old!], await offered())).toEqual([]);
  });

  it('takes the word of no root that is over, and learns none twice', async () => {
    expect(learn([expired!], [young!.certificate, await cross(young!, expired!)])).toEqual([]);
    expect(learn([old!, young!], [young!.certificate, await cross(young!, old!)])).toEqual([]);
  });
});

describe('by the word of a server that is not believed', () => {
  const at = (day: number) => new Date(NOW.getTime() - (60 - day) * DAY_MS);
  const began = async (day: number): Promise<Root> => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    const spkiDer = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
    return { certificate: await sign('root', spkiDer, privateKey, 30, at(day)), privateKey, spkiDer };
  };
  const crossed = ({ spkiDer, certificate }: Root, issuer: Root) =>
    sign('root-cross', spkiDer, issuer, 30, certificate.notBefore);
  const learn = (trusted: Root, offered: readonly ParsedCertificate[]) =>
    names(rootsVouchedFor([trusted.certificate], offered, NOW, 'successors'));

  it('a vehicle goes forward over every rollover', async () => {
    const [first, second, last] = [await began(1), await began(2), await began(3)];
    const offered = [second.certificate, last.certificate, await crossed(second, first), await crossed(last, second)];
    expect(learn(first, offered).sort()).toEqual(names([second.certificate, last.certificate]).sort());
  });

  it('and never back: whoever stole the key before has the public OldWithNew, and signs what else is needed', async () => {
    const [stolen, now, evil] = [await began(1), await began(2), await began(3)];
    const forged = await sign('root', stolen.spkiDer, stolen.privateKey, 30, at(4));
    const offered = [
      stolen.certificate,
      forged,
      evil.certificate,
      await crossed(stolen, now),
      await crossed(evil, stolen),
    ];
    expect(learn(now, offered)).toEqual([]);
  });
});

describe('rootsGone', () => {
  it('gives up what the platform names no more, never the last one that is trusted', () => {
    const both = [old!.certificate, young!.certificate];
    expect(names(rootsGone(both, [young!.certificate]))).toEqual(names([old!.certificate]));
    expect(rootsGone(both, both)).toEqual([]);
    expect(rootsGone(both, [stranger!.certificate])).toEqual([]);
    expect(rootsGone(both, [])).toEqual([]);
  });
});

describe('AnchorStore', () => {
  const pem = (...roots: Root[]) => roots.map(({ certificate }) => toPem(certificate.der, 'CERTIFICATE')).join('');

  it('keeps what was learned and what is over across restarts, beside what the factory put in', async () => {
    const state = mkdtempSync(join(tmpdir(), 'outrider-anchors-'));
    const open = (pinned: Root[]) =>
      AnchorStore.open(state, { serverTrust: pem(...pinned), fleetRoot: pem(...pinned) });
    const first = await open([old!]);
    expect(first.serverTrust).toBe(pem(old!));
    await first.change([young!.certificate], []);
    expect(names((await open([old!])).fleetRoots)).toEqual(names([old!.certificate, young!.certificate]));
    await (await open([old!])).change([], [old!.certificate]);
    const later = await open([old!]);
    expect([names(later.fleetRoots), later.serverTrust]).toEqual([names([young!.certificate]), pem(young!)]);
    // What the workshop puts in counts at once; what comes back is over no more.
    expect(names((await open([old!, third!])).fleetRoots)).toEqual(names([third!.certificate, young!.certificate]));
    const again = await sign('root', old!.spkiDer, old!.privateKey);
    expect([later.gaveUp(old!.certificate), later.gaveUp(again), later.gaveUp(young!.certificate)]).toEqual([
      true,
      true,
      false,
    ]);
    await later.change([old!.certificate], []);
    expect(names(later.fleetRoots)).toContain(old!.certificate.thumbprint);
    expect(later.gaveUp(again)).toBe(false);
    writeFileSync(join(state, 'anchors.json'), '{"adopted": [');
    expect((await open([old!])).serverTrust).toBe(pem(old!));
    rmSync(state, { recursive: true });
  });

  it('trusts no server by a fleet root where the factory pinned servers otherwise', async () => {
    const state = mkdtempSync(join(tmpdir(), 'outrider-anchors-'));
    const store = await AnchorStore.open(state, { serverTrust: pem(stranger!), fleetRoot: pem(old!) });
    await store.change([young!.certificate], []);
    expect(store.serverTrust).toBe(pem(stranger!));
    rmSync(state, { recursive: true });
  });
});
