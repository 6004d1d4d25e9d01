import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { certificateGet, certificatesSign } from '@outrider/contracts';
import { Readiness } from '@outrider/platform/service';
import { issueService, type Party } from '@outrider/testing';
import { OID, parseCertificate, parseCertificationRequest, validateChain } from '@outrider/x509';
import {
  app,
  ask,
  asRuntimeRole,
  CRL_BASE,
  crlRequest,
  deny,
  fleet,
  identities,
  ocspSignerRequest,
  rows,
  sign,
  signAll,
  signCrl,
  signedBy,
  signedReply,
  signerRequest,
  startFleetCa,
  stopFleetCa,
  vehicleRequest,
} from './fleet-ca.fixture.js';
import { newCsr } from './neighbours.fixture.js';

beforeAll(() => startFleetCa(), 60_000);
afterAll(stopFleetCa);

describe('before the first heartbeat of the denylist', () => {
  it('certifies nobody, and signs CRLs all the same', async () => {
    expect(await sign('provisioning', vehicleRequest())).toEqual({ code: 'revocation.stale' });
    expect(await signCrl('revocation', crlRequest(1))).toHaveProperty('tail');
    await deny();
    expect(await sign('provisioning', vehicleRequest())).toHaveProperty('certificate');
  });
});

describe('ca.certificate.sign.v2', () => {
  it('signs a vehicle certificate that chains to the fleet, and logs it first', async () => {
    const reply = signedReply(await sign('provisioning', vehicleRequest()));
    const leaf = parseCertificate(reply.certificate);
    const chain = reply.chain.map((der) => parseCertificate(der));
    validateChain(leaf, chain, [fleet.root.certificate], { now: new Date(), purpose: 'clientAuth' });
    expect(leaf).toMatchObject({
      subjectCommonName: 'device-12345',
      sanUris: ['spiffe://fleet.example.com/vehicle/device-12345'],
      crlDistributionPoints: [`${CRL_BASE}/0.crl`],
    });
    const [row] = await rows('SELECT * FROM issued_certificates WHERE thumbprint = $1', [leaf.thumbprint]);
    expect(row).toMatchObject({
      serial_number: leaf.serialNumber,
      requested_by: 'provisioning',
      device_id: 'device-12345',
    });
  });

  it('tells revocation of it', async () => {
    const { ref } = await sign('provisioning', vehicleRequest('device-told'));
    // A row leaves the outbox when JetStream has acknowledged it.
    const waiting = () => rows('SELECT payload FROM outbox WHERE payload LIKE $1', [`%${ref.thumbprint}%`]);
    const until = Date.now() + 20_000;
    while ((await waiting()).length > 0 && Date.now() < until) await new Promise((wake) => setTimeout(wake, 50));
    expect(await waiting()).toEqual([]);
  });

  it('gives a retry, even one that overtakes, the same certificate', async () => {
    const request = vehicleRequest('device-retry');
    const replies = await Promise.all(Array.from({ length: 8 }, () => sign('provisioning', request)));
    expect(new Set(replies.map(({ certificate }) => certificate)).size).toBe(1);
    expect(await rows('SELECT 1 FROM issued_certificates WHERE request_id = $1', [request.requestId])).toHaveLength(1);
  });

  it('refuses a request id that was used for something else', async () => {
    const request = vehicleRequest('device-reuse');
    await sign('provisioning', request);
    expect(await sign('provisioning', { ...request, csr: newCsr('device-reuse') })).toEqual({
      code: 'ca.request_refused',
    });
  });

  it('signs for the command service what only it may ask for', async () => {
    const request = signerRequest();
    const reply = signedReply(await sign('command', request));
    expect(parseCertificate(reply.certificate).sanUris).toEqual(['spiffe://fleet.example.com/service/command']);
    expect(await sign('provisioning', request)).toEqual({ code: 'ca.requester_refused' });
    expect(await sign('command', vehicleRequest())).toEqual({ code: 'ca.requester_refused' });
  });

  it('certifies for revocation who answers OCSP, by the generation it names, and that alone', async () => {
    const request = ocspSignerRequest();
    const reply = signedReply(await sign('revocation', request));
    const certificate = parseCertificate(reply.certificate);
    expect(certificate).toMatchObject({
      subjectCommonName: 'ocsp',
      sanUris: [],
      extendedKeyUsages: [OID.ocspSigning],
      authorityKeyId: fleet.vehicleCa.certificate.subjectKeyId,
      ocspUrls: [],
    });
    expect(certificate.extensions.map(({ oid }) => oid)).toContain(OID.ocspNoCheck);
    const { issuerKeyId: _, ...byTheActive } = ocspSignerRequest();
    expect(signedReply(await sign('revocation', byTheActive)).ref.issuerKeyId).toBe(request.issuerKeyId);

    const controlCa = fleet.controlCa.certificate.subjectKeyId;
    for (const [service, asked, code] of [
      ['provisioning', ocspSignerRequest(), 'ca.requester_refused'],
      ['revocation', vehicleRequest(), 'ca.requester_refused'],
      ['provisioning', { ...vehicleRequest(), issuerKeyId: request.issuerKeyId }, 'ca.request_refused'],
      ['revocation', { ...ocspSignerRequest(), issuerKeyId: controlCa }, 'ca.request_refused'],
      ['revocation', { ...ocspSignerRequest(), authority: 'control-ca', issuerKeyId: controlCa }, 'ca.request_refused'],
      ['revocation', { ...ocspSignerRequest(), issuerKeyId: 'ab'.repeat(20) }, 'ca.authority_unknown'],
      ['revocation', { ...ocspSignerRequest(), deviceId: 'device-12345' }, 'ca.request_refused'],
      ['revocation', { ...ocspSignerRequest(), csr: newCsr('device-12345') }, 'ca.request_refused'],
    ] as const) {
      expect([asked, await sign(service, asked)]).toEqual([asked, { code }]);
    }
  });

  it('signs nothing without a service’s signature, whoever sends it', async () => {
    const whole = { aud: 'ca.certificate.sign.v2', items: [vehicleRequest()] };
    const forged = signedBy('provisioning', whole).replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    for (const request of [forged, 'a.b.c', '']) {
      const before = await rows('SELECT count(*) FROM issued_certificates');
      const reply = await ask('provisioning', certificatesSign.subject, { request });
      expect(reply).toHaveProperty('code', expect.stringMatching(/^(ca\.requester_refused|request\.\w+)$/));
      expect(await rows('SELECT count(*) FROM issued_certificates')).toEqual(before);
    }
  });

  it('signs many at once, and one that is refused is its own fault', async () => {
    const good = Array.from({ length: 62 }, (_, at) => vehicleRequest(`device-many-${at}`));
    const bad = { ...vehicleRequest('device-bad'), csr: newCsr('device-other') };
    const garbage = { ...vehicleRequest('device-garbage'), csr: 'AAAA' };
    const { items } = await signAll('provisioning', [...good.slice(0, 31), bad, garbage, ...good.slice(31)]);
    expect(items).toHaveLength(64);
    expect(items[31]).toMatchObject({ requestId: bad.requestId, code: 'ca.request_refused' });
    expect(items[32]).toMatchObject({ requestId: garbage.requestId, code: 'x509.malformed' });
    expect(items.filter(({ certificate }) => certificate)).toHaveLength(62);
    const ids = good.map(({ requestId }) => requestId);
    expect(await rows('SELECT 1 FROM issued_certificates WHERE request_id = ANY($1)', [ids])).toHaveLength(62);
    expect(await rows('SELECT 1 FROM issued_certificates WHERE request_id = $1', [bad.requestId])).toHaveLength(0);
  });

  it('gives overlapping requests the same certificates, whatever their order', async () => {
    const all = Array.from({ length: 16 }, (_, at) => vehicleRequest(`device-overlap-${at}`));
    const replies = await Promise.all(
      [all, [...all].reverse(), all.slice(4, 12)].map((items) => signAll('provisioning', items)),
    );
    const certificates = replies.flatMap(({ items }) => items.map(({ certificate }) => certificate));
    expect(certificates.every((certificate) => certificate !== undefined)).toBe(true);
    expect(new Set(certificates).size).toBe(16);
  });

  it('takes no request id twice, not more than 64, and no authority it does not know', async () => {
    const one = vehicleRequest('device-once');
    expect(await signAll('provisioning', [one, one])).toEqual({ code: 'request.invalid' });
    const many = Array.from({ length: 65 }, () => ({ ...one, requestId: randomUUID() }));
    expect(await signAll('provisioning', many)).toEqual({ code: 'request.invalid' });
    expect(await sign('provisioning', { ...one, authority: 'nobody-ca' })).toEqual({ code: 'ca.authority_unknown' });
    expect(await sign('provisioning', { ...one, authority: 'control-ca' })).toEqual({ code: 'ca.request_refused' });
  });

  it('refuses a name that is not the device’s', async () => {
    const request = { ...vehicleRequest('device-12345'), csr: newCsr('device-99999') };
    expect(await sign('provisioning', request)).toEqual({ code: 'ca.request_refused' });
  });
});

describe('the denylist', () => {
  it('stops a denied device, a denied key, and a retry that comes after the denial', async () => {
    const early = vehicleRequest('device-stolen');
    expect(await sign('provisioning', early)).toHaveProperty('certificate');
    const other = vehicleRequest('device-innocent');
    const { keyThumbprint } = parseCertificationRequest(other.csr);
    await deny({ kind: 'device', value: 'device-stolen' }, { kind: 'key', value: keyThumbprint });
    for (const request of [early, vehicleRequest('device-stolen'), other]) {
      expect(await sign('provisioning', request)).toEqual({ code: 'ca.subject_denied' });
    }
    expect(await sign('provisioning', vehicleRequest('device-innocent'))).toHaveProperty('certificate');
  });

  it('stops a service whose certificate is denied', async () => {
    const before = identities.get('command') as Party;
    await deny({ kind: 'certificate', value: before.certificate.thumbprint });
    const request = signerRequest();
    expect(await sign('command', request)).toEqual({ code: 'ca.requester_refused' });
    identities.set('command', await issueService(fleet, 'command'));
    expect(await sign('command', request)).toHaveProperty('certificate');
  });
});

describe('the log of issued certificates', () => {
  it('cannot be changed by the runtime role', async () => {
    await sign('provisioning', vehicleRequest());
    await asRuntimeRole(async (query) => {
      for (const table of ['issued_certificates', 'signed_crls']) {
        for (const attempt of [`UPDATE ${table} SET issuer = 'x'`, `DELETE FROM ${table}`, `TRUNCATE ${table}`]) {
          const sql = attempt.replace('issuer =', table === 'issued_certificates' ? 'profile =' : 'issuer =');
          await expect(query(sql)).rejects.toMatchObject({ code: '42501' });
        }
      }
    });
  });

  it('answers ca.certificate.get.v1 by serial number and by thumbprint', async () => {
    const { ref } = await sign('provisioning', vehicleRequest('device-found'));
    for (const by of [{ serialNumber: ref.serialNumber }, { thumbprint: ref.thumbprint }]) {
      expect(await ask('revocation', certificateGet.subject, by)).toMatchObject({ profile: 'vehicle', ref });
    }
    expect(await ask('revocation', certificateGet.subject, { serialNumber: '0badc0de' })).toEqual({
      code: 'ca.certificate_unknown',
    });
  });
});

describe('the service', () => {
  it('is ready when its CA certificates are valid and its connections are up', async () => {
    expect(await app.get(Readiness).report()).toMatchObject({
      checks: { 'ca-certificates': { ok: true }, postgres: { ok: true } },
    });
  });
});
