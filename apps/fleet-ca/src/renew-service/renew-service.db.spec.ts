import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { serialValue } from '@outrider/admission';
import { certificateGet, certificatesSign, crlSign, natsPermissions, renewalSubject } from '@outrider/contracts';
import { SERVICES, type Service } from '@outrider/ids';
import { ServiceIdentity } from '@outrider/platform/nats';
import { CONFIG, Readiness, TrustFiles } from '@outrider/platform/service';
import { issue, issueVehicle, type Party, type TestFleet, until } from '@outrider/testing';
import {
  createCertificationRequest,
  OID,
  type ParsedCertificate,
  parseCertificate,
  validateChain,
} from '@outrider/x509';
import type { Config } from '../config.js';
import {
  app,
  ask,
  crlRequest,
  deny,
  fleet,
  rows,
  signAll,
  signerRequest,
  startFleetCa,
  stopFleetCa,
} from '../fleet-ca.fixture.js';
import { newCsr, signRequest } from '../neighbours.fixture.js';
import { MAX_RENEWALS_OF_ONE } from './decide-renewal.js';
import { RenewService } from './renew-service.service.js';

const MINUTES = 60_000;
/** More than two thirds of its life is over. */
const old = (fleet: TestFleet, service: string, more: object = {}): Promise<Party> =>
  issue('service-server', fleet.infrastructureCa, {
    name: service,
    sanUri: `spiffe://fleet.example.com/service/${service}`,
    sanDns: ['localhost', `${service}.outrider.svc`],
    sanIps: ['127.0.0.1'],
    notBefore: new Date(Date.now() - 100 * MINUTES),
    notAfter: new Date(Date.now() + 20 * MINUTES),
    ...more,
  });

let own: Party;
const identity = async (fleet: TestFleet) => {
  own = await old(fleet, 'fleet-ca');
  return own;
};
beforeAll(async () => {
  await startFleetCa({ serviceRenewal: { lifetimeSeconds: 7200 }, identity });
  await deny();
}, 60_000);
afterAll(stopFleetCa);

interface Asked {
  readonly aud?: string;
  readonly csr?: string;
  readonly requestId?: string;
  readonly iat?: number;
}

/** As `service` may: by its own NATS user, on its own subject. */
function renew(
  service: Service,
  by: Party,
  { aud = renewalSubject(service), csr = newCsr(service), ...rest }: Asked = {},
) {
  const request = signRequest(by, { aud, csr, requestId: randomUUID(), ...rest });
  return ask(service, renewalSubject(service), { request }) as Promise<{
    certificate: string;
    issuer: string;
    code?: string;
  }>;
}

describe('a service', () => {
  it('gets the next certificate for its own name and hosts, logged before it is answered', async () => {
    const present = await old(fleet, 'telemetry');
    const reply = await renew('telemetry', present);
    const renewed = parseCertificate(reply.certificate);
    validateChain(renewed, [], [parseCertificate(reply.issuer)], { now: new Date(), purpose: 'serverAuth' });
    expect(renewed).toMatchObject({
      sanUris: ['spiffe://fleet.example.com/service/telemetry'],
      sanDns: ['localhost', 'telemetry.outrider.svc'],
      sanIps: ['127.0.0.1'],
    });
    expect(renewed.notAfter.getTime() - Date.now()).toBeLessThan(121 * MINUTES);
    const [row] = await rows('SELECT * FROM issued_certificates WHERE thumbprint = $1', [renewed.thumbprint]);
    expect(row).toMatchObject({
      ...{ profile: 'service-server', requested_by: 'telemetry', device_id: null },
      ...{ serial_number: renewed.serialNumber, renewed_from: present.certificate.thumbprint },
    });
  });

  it('gets the same again for the same request, and nothing for another under its id', async () => {
    const [present, requestId, csr] = [await old(fleet, 'gateway'), randomUUID(), newCsr('gateway')];
    const first = await renew('gateway', present, { requestId, csr });
    expect(await renew('gateway', present, { requestId, csr })).toEqual(first);
    expect(await renew('gateway', present, { requestId })).toEqual({ code: 'ca.request_refused' });
  });
});

describe('whoever holds the key and the NATS user of one service', () => {
  it.each(SERVICES.filter((service) => service !== 'fleet-ca'))('may ask as %s on its own subject alone', (service) => {
    const may = natsPermissions(service).publish.filter((subject) => /_certificate\.renew\./.test(subject));
    expect([may, natsPermissions('fleet-ca').publish.filter((s) => /\.renew\./.test(s))]).toEqual([
      [`ca.${service}_certificate.renew.v1`],
      [],
    ]);
  });

  it.each<[string, () => Promise<unknown>, string]>([
    [
      'by its own certificate, on its own subject, for the other',
      async () => renew('telemetry', await old(fleet, 'telemetry'), { csr: newCsr('revocation') }),
      'ca.request_refused',
    ],
    [
      'by its own certificate, with the audience of the other',
      async () => renew('telemetry', await old(fleet, 'telemetry'), { aud: renewalSubject('revocation') }),
      'ca.requester_refused',
    ],
    [
      'on its own subject, by a key of the other that it stole',
      async () => renew('telemetry', await old(fleet, 'revocation'), { aud: renewalSubject('revocation') }),
      'ca.requester_refused',
    ],
    [
      'by the key of a vehicle',
      async () => renew('telemetry', await issueVehicle(fleet, 'device-12345' as never)),
      'ca.requester_refused',
    ],
    ['by the key of an edge', async () => renew('telemetry', await old(fleet, 'edge-local')), 'ca.requester_refused'],
    [
      'by a certificate that is over',
      async () => renew('telemetry', await old(fleet, 'telemetry', { notAfter: new Date(Date.now() - 30 * MINUTES) })),
      'ca.requester_refused',
    ],
    [
      'by a request of yesterday',
      async () => renew('telemetry', await old(fleet, 'telemetry'), { iat: Math.floor(Date.now() / 1000) - 86_400 }),
      'ca.requester_refused',
    ],
    [
      'with a request for the key of somebody else, which it cannot sign',
      async () => renew('telemetry', await old(fleet, 'telemetry'), { csr: ofAnothersKey() }),
      'x509.signature_invalid',
    ],
  ])('gets no identity of another: %s', async (_, asking, code) => {
    const before = await rows('SELECT count(*) FROM issued_certificates');
    expect(await asking()).toEqual({ code });
    expect(await rows('SELECT count(*) FROM issued_certificates')).toEqual(before);
  });

  it.each(['service-server', 'vehicle'])(
    'gets no %s certificate of the infrastructure CA by the other door',
    async (profile) => {
      const item = { requestId: randomUUID(), profile, authority: 'infrastructure-ca', csr: newCsr('revocation') };
      const { items } = await signAll('provisioning', [
        { ...item, ...(profile === 'vehicle' ? { deviceId: 'revocation' } : {}) },
      ]);
      expect(items[0]?.code).toMatch(/^ca\.(authority|profile)_unknown$/);
      expect(certificatesSign.from).not.toContain('telemetry');
    },
  );

  it.each<[string, (stolen: ParsedCertificate) => { kind: 'certificate' | 'key' | 'serial'; value: string }]>([
    ['certificate', ({ thumbprint }) => ({ kind: 'certificate', value: thumbprint })],
    ['key', ({ keyThumbprint }) => ({ kind: 'key', value: keyThumbprint })],
    ['serial number', (of) => ({ kind: 'serial', value: serialValue(of.authorityKeyId as string, of.serialNumber) })],
  ])('loses with a revoked %s all that was renewed from it: renewals, signing, and lists', async (_, names) => {
    const [stolen, lists] = [await old(fleet, 'command'), await old(fleet, 'revocation')];
    const [child, listsChild] = [await childOf('command', stolen), await childOf('revocation', lists)];
    const attempts = (by: Party, listsBy: Party) => Promise.all([signAs(by), crlBy(listsBy)]);
    // Too early is what it hears while nothing is revoked.
    expect(await renew('command', child)).toEqual({ code: 'ca.request_refused' });
    expect(await attempts(child, listsChild)).toEqual([
      { items: [expect.objectContaining({ certificate: expect.any(String) })] },
      { head: expect.any(String), tail: expect.any(String) },
    ]);
    await deny(names(stolen.certificate), names(lists.certificate));
    const refused = { code: 'ca.requester_refused' };
    expect(await renew('command', stolen)).toEqual(refused);
    expect(await renew('command', child)).toEqual(refused);
    expect(await attempts(stolen, lists)).toEqual([refused, refused]);
    expect(await attempts(child, listsChild)).toEqual([refused, refused]);
  });

  it('leaves what it renewed first in the log, by every name that it can be revoked by', async () => {
    const present = await old(fleet, 'gateway');
    await Promise.all([renew('gateway', present), renew('gateway', present)]);
    const { serialNumber, thumbprint, keyThumbprint, authorityKeyId: issuerKeyId } = present.certificate;
    const { ref } = (await ask('revocation', certificateGet.subject, { serialNumber })) as { ref: object };
    expect(ref).toMatchObject({ thumbprint, keyThumbprint, issuerKeyId });
    const renewed = await rows('SELECT 1 FROM issued_certificates WHERE renewed_from = $1', [thumbprint]);
    expect(renewed).toHaveLength(2);
  });

  it('gets no more than one certificate for one key, and no more than the limit of one, by asking at once', async () => {
    const [present, csr] = [await old(fleet, 'token'), newCsr('token')];
    const replies = await Promise.all(Array.from({ length: 6 }, () => renew('token', present, { csr })));
    expect(replies.filter(({ certificate }) => certificate)).toHaveLength(1);
    const more = await Promise.all(Array.from({ length: MAX_RENEWALS_OF_ONE + 3 }, () => renew('token', present)));
    expect(more.filter(({ certificate }) => certificate)).toHaveLength(MAX_RENEWALS_OF_ONE - 1);
  });
});

describe('fleet-ca itself', () => {
  it('has its own certificate renewed, in a file that it alone may read', async () => {
    const config = app.get<Config>(CONFIG);
    const file = `${config.identity.stateDirectory}/identity.pem`;
    await until(() => existsSync(file), 20_000);
    await until(() => app.get(ServiceIdentity).certificate.thumbprint !== own.certificate.thumbprint, 20_000);
    const { chain } = app.get(TrustFiles).keyPair(config.identity.certificateFile, config.identity.keyFile);
    expect(chain.map(({ subject }) => subject.text)).toHaveLength(2);
    expect(chain[0]).toMatchObject({ sanUris: ['spiffe://fleet.example.com/service/fleet-ca'] });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await app.get(Readiness).report()).checks.identity).toMatchObject({
      ok: true,
      detail: { renewal: 'self' },
    });
  });

  it('certifies no other service where it is asked as itself', async () => {
    const request = signRequest(await old(fleet, 'revocation'), {
      ...{ aud: renewalSubject('fleet-ca'), csr: newCsr('fleet-ca'), requestId: randomUUID() },
    });
    await expect(app.get(RenewService).renew('fleet-ca', request, new Date())).rejects.toMatchObject({
      code: 'ca.requester_refused',
    });
  });
});

/** What whoever stole a key makes of its certificate. */
async function childOf(service: Service, stolen: Party): Promise<Party> {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = [{ type: OID.commonName, value: service }];
  const csr = Buffer.from(createCertificationRequest({ subject, ...keys })).toString('base64');
  const certificate = parseCertificate((await renew(service, stolen, { csr })).certificate);
  return { ...stolen, certificate, privateKey: keys.privateKey };
}

function signAs(by: Party): Promise<unknown> {
  const request = signRequest(by, { aud: 'ca.certificate.sign.v2', items: [signerRequest()] });
  return ask('command', certificatesSign.subject, { request });
}

let listNumber = 0;
function crlBy(by: Party): Promise<unknown> {
  listNumber += 1;
  return ask('revocation', crlSign.subject, { request: signRequest(by, crlRequest(listNumber) as never) });
}

/** A request whose signature is not by the key that it names. */
function ofAnothersKey(): string {
  const [theirs, mine] = [0, 1].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }));
  const keys = { publicKey: theirs!.publicKey, privateKey: mine!.privateKey };
  return Buffer.from(createCertificationRequest({ subject: 'telemetry', ...keys })).toString('base64');
}
