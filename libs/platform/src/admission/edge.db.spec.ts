import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestFleet, issueService, issueVehicle, type Party, type TestTokenService } from '@outrider/testing';
import { A } from './admission-ground.fixture.js';
import { type Edge, type Forwarding } from './edge.fixture.js';
import { bearer, claims, EdgeGround } from './edge-ground.fixture.js';

let ground: EdgeGround;
let token: TestTokenService;
let edge: Edge;
let [a, b, proxy, named, stranger]: Party[] = [];

beforeAll(async () => {
  ({ ground, edge } = await EdgeGround.start());
  ({ token } = ground);
  ({ a, b, proxy, named, stranger } = ground.parties);
}, 60_000);

afterAll(() => ground?.stop());

describe('a vehicle behind a configured proxy', () => {
  it.each<[string, Forwarding]>([
    ['RFC 9440', 'rfc9440'],
    ["Envoy's header", 'xfcc'],
    [
      'the certificate and its chain',
      (der) => ({
        'client-cert': `:${der.toString('base64')}:`,
        'client-cert-chain': `:${Buffer.from(ground.ground.fleet.vehicleCa.certificate.der).toString('base64')}:`,
      }),
    ],
  ])('is who its certificate says, by %s', async (_name, forwarding) => {
    const { port: at } = await ground.through(proxy!, forwarding);
    expect(await ground.ask(at, '/token', a, bearer(token.accessToken(claims(a!, A))))).toMatchObject({
      status: 200,
      body: { deviceId: A },
    });
    expect((await ground.ask(at, '/certificate', a)).status).toBe(200);
  });

  it('is nobody without a certificate, whatever it writes itself', async () => {
    const forged = { 'client-cert': `:${Buffer.from(a!.certificate.der).toString('base64')}:` };
    expect((await ground.ask(edge.port, '/certificate')).body?.code).toBe('tls.certificate_required');
    const forwardsNothing = await ground.through(proxy!, () => ({}));
    expect((await ground.ask(forwardsNothing.port, '/certificate', a)).body?.code).toBe('tls.certificate_required');
    expect((await ground.ask(edge.port, '/certificate', b, forged)).status).toBe(200);
    expect(
      (await ground.ask(edge.port, '/token', b, { ...forged, ...bearer(token.accessToken(claims(a!, A))) })).body?.code,
    ).toBe('auth.token_binding_mismatch');
  });

  it('is refused with a certificate of another CA, and with an expired one', async () => {
    const old = { notBefore: new Date(Date.now() - 7_200_000), notAfter: new Date(Date.now() - 3_600_000) };
    const expired = await issueVehicle(ground.ground.fleet, A, old);
    const foreign = await issueVehicle(await createTestFleet(), A);
    expect((await ground.ask(edge.port, '/certificate', foreign)).body?.code).toBe('tls.certificate_invalid');
    expect((await ground.ask(edge.port, '/certificate', expired)).status).toBe(401);
  });

  it.each<[string, (der: Buffer) => Record<string, string>]>([
    [
      'two elements',
      (der) => ({
        'client-cert': Array(2)
          .fill(`:${der.toString('base64')}:`)
          .join(', '),
      }),
    ],
    ['no byte sequence', (der) => ({ 'client-cert': der.toString('base64') })],
    ['what is no certificate', () => ({ 'client-cert': ':AAAA:' })],
  ])('is refused where the proxy forwards %s', async (_name, forwarding) => {
    const { port: at } = await ground.through(proxy!, forwarding);
    const answer = await ground.ask(at, '/certificate', a);
    expect({ status: answer.status, code: answer.body?.code }).toEqual({
      status: 400,
      code: 'auth.forwarded_certificate_invalid',
    });
  });

  it('is believed of a proxy that is named by its thumbprint, and of no other with a name like a proxy', async () => {
    expect((await ground.ask((await ground.through(named!, 'rfc9440')).port, '/certificate', a)).status).toBe(200);
    const renewed = await ground.through(await issueService(ground.ground.fleet, 'edge-2'), 'rfc9440');
    expect((await ground.ask(renewed.port, '/certificate', a)).body?.code).toBe('tls.certificate_invalid');
    const foreign = await ground.through(await issueService(await createTestFleet(), 'edge-1'), 'rfc9440');
    expect((await ground.ask(foreign.port, '/certificate', a)).body?.code).toBe('tls.certificate_invalid');
  });

  it('is not believed of a service that is no configured proxy, nor of a vehicle (attack 22)', async () => {
    const asService = await ground.through(stranger!, 'rfc9440');
    expect((await ground.ask(asService.port, '/certificate', a)).body?.code).toBe('tls.certificate_invalid');
    const asVehicle = await ground.through(b!, 'rfc9440');
    const answer = await ground.ask(asVehicle.port, '/token', a, bearer(token.accessToken(claims(a!, A))));
    expect(answer.body?.code).toBe('auth.token_binding_mismatch');
  });

  it('needs a key of its own for control', async () => {
    const bound = token.accessToken(claims(a!, A));
    const answer = await ground.ask(edge.port, '/waits', a, bearer(bound));
    expect({ status: answer.status, code: answer.body?.code }).toEqual({ status: 401, code: 'auth.dpop_required' });
    expect(answer.headers['www-authenticate']).toMatch(/^DPoP /);
  });
});
