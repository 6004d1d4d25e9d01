import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { A, ask, B, type EdgeSuite, HOST, startEdgeSuite, xfcc } from './edge.fixture.js';

const TRIPS = `/v1/vehicles/${A}/trips`;
let suite: EdgeSuite;

beforeAll(async () => {
  suite = await startEdgeSuite({ device: { perSecond: 0.001, burst: 12 } });
}, 60_000);
afterAll(() => suite?.stop());

const authorization = () => `Bearer ${suite.tokenOf(suite.parties.a, A)}`;
const codeOf = (body: string) => (body ? (JSON.parse(body) as { code: string }).code : '');

describe('Envoy asks over HTTP', () => {
  const envoy = (target: string, headers: Record<string, string>, method = 'GET') =>
    ask(
      suite,
      suite.parties.edge,
      `/authorize/envoy${target}`,
      { host: HOST, 'x-forwarded-for': '192.0.2.7', ...headers },
      { method },
    );
  const shown = () => ({ 'x-forwarded-client-cert': `By=spiffe://x;${xfcc(suite.parties.a)};Subject="CN=a"` });

  it('and hears who it is, and which words of the client to take away', async () => {
    const answer = await envoy(TRIPS, { ...shown(), authorization: authorization() });
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'x-outrider-device': A,
      'x-envoy-auth-headers-to-remove': 'x-outrider-recovery',
    });
    expect((await envoy('/status', {})).headers['x-envoy-auth-headers-to-remove']).toContain('x-outrider-device');
  });

  it("and passes a refusal on as it is, by the client's own method", async () => {
    const answer = await envoy(TRIPS, { ...shown() });
    expect({ status: answer.status, code: codeOf(answer.body) }).toEqual({ status: 401, code: 'auth.token_missing' });
    expect(answer.headers['www-authenticate']).toContain('Bearer realm="outrider"');
    expect(answer.headers['content-type']).toBe('application/problem+json');
    const posted = await envoy(TRIPS, { ...shown(), authorization: authorization() }, 'DELETE');
    expect({ status: posted.status, code: codeOf(posted.body) }).toEqual({
      status: 403,
      code: 'gateway.route_unknown',
    });
    expect(codeOf((await envoy(`${TRIPS}/..%2fadmin`, shown())).body)).toBe('gateway.path_ambiguous');
  });
});

describe('Traefik asks', () => {
  const bare = () => Buffer.from(suite.parties.a.certificate.der).toString('base64');
  const traefik = (target: string, headers: Record<string, string>) =>
    ask(suite, suite.parties.edge, '/authorize/traefik', {
      'x-forwarded-method': 'GET',
      'x-forwarded-uri': target,
      'x-forwarded-host': HOST,
      'x-forwarded-for': '10.1.1.1, 192.0.2.7',
      ...headers,
    });

  it('with the certificate as its middleware passes it on, escaped or not', async () => {
    for (const text of [bare(), encodeURIComponent(bare())]) {
      const answer = await traefik(TRIPS, { 'x-forwarded-tls-client-cert': text, authorization: authorization() });
      expect({ status: answer.status, device: answer.headers['x-outrider-device'] }).toEqual({
        status: 200,
        device: A,
      });
    }
  });

  it('over HTTP/1.1, though it speaks HTTP/2 as well', async () => {
    const { port, fleet, parties } = suite;
    const identity = {
      cert: parties.edge.certificatePem,
      key: parties.edge.privateKeyPem,
      ca: fleet.root.certificatePem,
    };
    const alpn = (ALPNProtocols: string[]) =>
      new Promise((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ALPNProtocols, ...identity }, () => {
          resolve(socket.alpnProtocol);
          socket.destroy();
        }).on('error', reject);
      });
    expect(await alpn(['h2', 'http/1.1'])).toBe('http/1.1');
    expect(await alpn(['h2'])).toBe('h2');
  });

  it('and nothing that its client may write stands for that', async () => {
    const headers = { 'x-forwarded-client-cert': xfcc(suite.parties.a), 'client-cert': `:${bare()}:` };
    const answer = await traefik(TRIPS, { ...headers, authorization: authorization() });
    expect({ status: answer.status, code: codeOf(answer.body) }).toEqual({
      status: 401,
      code: 'tls.certificate_required',
    });
    const two = await traefik(TRIPS, { 'x-forwarded-tls-client-cert': 'AAAA,', authorization: authorization() });
    expect(codeOf(two.body)).toBe('auth.forwarded_certificate_invalid');
  });
});

describe('limits', () => {
  it('hold for one vehicle, and not for another', async () => {
    const asking = (party: typeof suite.parties.a, device: typeof A) =>
      ask(suite, suite.parties.edge, `/authorize/envoy/v1/vehicles/${device}/trips`, {
        host: HOST,
        'x-forwarded-client-cert': xfcc(party),
        authorization: `Bearer ${suite.tokenOf(party, device)}`,
      });
    const { a, b } = suite.parties;
    let last = await asking(a, A);
    for (let n = 0; n < 20 && last.status === 200; n += 1) last = await asking(a, A);
    expect({ status: last.status, code: codeOf(last.body) }).toEqual({ status: 429, code: 'request.too_many' });
    expect(Number(last.headers['retry-after'])).toBeGreaterThan(0);
    expect((await asking(b, B)).status).toBe(200);
  });
});
