import { beforeAll, describe, expect, it } from '@jest/globals';
import { CertificatesSignRequest } from '@outrider/contracts';
import { JWS_TYP, signJws } from '@outrider/crypto';
import { DeviceId } from '@outrider/ids';
import {
  createTestFleet,
  issueService,
  issueVehicle,
  type Party,
  type TestFleet,
  TRUST_DOMAIN,
} from '@outrider/testing';
import { verifyRequest } from './verify-request.js';

const NOW = new Date();
const iat = Math.floor(NOW.getTime() / 1000);
const payload = {
  aud: 'ca.certificate.sign.v2',
  iat,
  items: [
    {
      requestId: '4f1c4bd2-97a4-4bd4-b3a1-0a77a9eb2a0c',
      profile: 'vehicle',
      authority: 'vehicle-ca',
      csr: 'MAA=',
      deviceId: 'device-12345',
    },
  ],
};

let fleet: TestFleet;
let provisioning: Party;
beforeAll(async () => {
  fleet = await createTestFleet();
  provisioning = await issueService(fleet, 'provisioning');
});

const base64 = (party: Party) => Buffer.from(party.certificate.der).toString('base64');
const trust = () => ({
  infrastructureCas: [fleet.infrastructureCa.certificate],
  trustDomain: TRUST_DOMAIN,
  maxAgeSeconds: 30,
  now: NOW,
});

interface Forgery {
  readonly header?: object;
  readonly body?: unknown;
  readonly by?: Party;
  readonly key?: Party;
}

function verify({ header = {}, body = payload, by = provisioning, key = by }: Forgery = {}) {
  const compact = signJws({
    header: { typ: JWS_TYP.request, x5c: [base64(by)], ...header },
    payload: typeof body === 'string' ? body : JSON.stringify(body),
    key: key.privateKey,
  });
  return verifyRequest(compact, CertificatesSignRequest, trust());
}

describe('verifyRequest', () => {
  it('names the service that signed, from its certificate', () => {
    expect(verify()).toMatchObject({ requester: 'provisioning', payload: { items: [{ deviceId: 'device-12345' }] } });
  });

  it('takes the chain along', () => {
    expect(verify({ header: { x5c: [base64(provisioning), base64(fleet.infrastructureCa)] } }).requester).toBe(
      'provisioning',
    );
  });

  const forgeries: [string, () => Promise<Forgery> | Forgery, string][] = [
    ['another context', () => ({ header: { typ: 'outrider-command+jws' } }), 'ca.requester_refused'],
    ['no certificate', () => ({ header: { x5c: undefined } }), 'ca.requester_refused'],
    ['a header that chooses rules', () => ({ header: { jku: 'https://evil.example' } }), 'ca.requester_refused'],
    [
      'the certificate of one service and the key of another',
      async () => ({ key: await issueService(fleet, 'command') }),
      'ca.requester_refused',
    ],
    [
      'a vehicle',
      async () => ({ by: await issueVehicle(fleet, DeviceId.parse('device-12345')) }),
      'ca.requester_refused',
    ],
    [
      'a service of a fleet of its own making',
      async () => ({ by: await issueService(await createTestFleet(), 'provisioning') }),
      'ca.requester_refused',
    ],
    ['an unknown service', async () => ({ by: await issueService(fleet, 'ledger') }), 'ca.requester_refused'],
    ['an old request', () => ({ body: { ...payload, iat: iat - 31 } }), 'ca.requester_refused'],
    ['a request from the future', () => ({ body: { ...payload, iat: iat + 32 } }), 'ca.requester_refused'],
    ['a request meant for another subject', () => ({ body: { ...payload, aud: 'ca.crl.sign.v1' } }), 'request.invalid'],
    ['an unknown member', () => ({ body: { ...payload, notAfter: '2099-01-01T00:00:00Z' } }), 'request.invalid'],
    ['no JSON', () => ({ body: '{' }), 'request.malformed'],
  ];
  it.each(forgeries)('refuses %s', async (_, forge, code) => {
    const forgery = await forge();
    expect(() => verify(forgery)).toThrow(expect.objectContaining({ code }));
  });

  it('refuses a payload changed after signing', () => {
    const compact = signJws({
      header: { typ: JWS_TYP.request, x5c: [base64(provisioning)] },
      payload: JSON.stringify(payload),
      key: provisioning.privateKey,
    });
    const [header, , signature] = compact.split('.');
    const other = Buffer.from(JSON.stringify({ ...payload, deviceId: 'device-99999' })).toString('base64url');
    expect(() => verifyRequest(`${header}.${other}.${signature}`, CertificatesSignRequest, trust())).toThrow(
      expect.objectContaining({ code: 'ca.requester_refused' }),
    );
  });

  it('refuses an expired service certificate', () => {
    const late = new Date(NOW.getTime() + 2 * 86_400_000);
    const body = { ...payload, iat: Math.floor(late.getTime() / 1000) };
    const header = { typ: JWS_TYP.request, x5c: [base64(provisioning)] } as const;
    const compact = signJws({ header, payload: JSON.stringify(body), key: provisioning.privateKey });
    expect(() => verifyRequest(compact, CertificatesSignRequest, { ...trust(), now: late })).toThrow(
      expect.objectContaining({ code: 'ca.requester_refused' }),
    );
  });
});
