import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Prover } from '../harness/dpop.js';
import {
  type Answered,
  EdgeClient,
  NGINX,
  type Running,
  startDemoApi,
  startNginx,
  toldToApi,
} from '../harness/edge.js';
import { endpoints } from '../harness/endpoints.js';
import { isReady, operator } from '../harness/operator.js';
import { isBack, killHard } from '../harness/processes.js';
import { Thief } from '../harness/thief.js';
import { until } from '../harness/until.js';
import { Vehicle } from '../harness/vehicle.js';

const suite = NGINX ? describe : describe.skip;
const running: Running[] = [];
let [car, other]: Vehicle[] = [];
let [client, thief, nobody]: EdgeClient[] = [];

const codeOf = ({ status, body }: Answered) => `${status} ${body.startsWith('{') ? JSON.parse(body).code : body}`;
const trips = () => `/v1/vehicles/${car?.id}/trips`;
const token = (scope = 'trips:read') => (car as Vehicle).token(scope);

suite(`a platform's own API behind nginx${NGINX ? '' : ' (skipped: nginx not installed)'}`, () => {
  beforeAll(async () => {
    running.push(await startDemoApi(), await startNginx());
    [car, other] = await Promise.all([Vehicle.enrol('edge'), Vehicle.enrol('edge-thief')]);
    [client, thief, nobody] = [new EdgeClient('nginx', car), new EdgeClient('nginx', other), new EdgeClient('nginx')];
  }, 120_000);
  afterAll(async () => {
    for (const one of [client, thief, nobody]) one?.close();
    await Promise.all(running.map((one) => one.stop()));
  });

  test('is told who asks, and nothing that the client wrote itself', async () => {
    const forged = {
      'x-outrider-device': other?.id ?? '',
      'X-Outrider-Recovery': 'true',
      x_outrider_device: other?.id ?? '',
      'client-cert': ':AAAA:',
      'x-forwarded-client-cert': 'Cert="x"',
      'x-forwarded-for': '10.0.0.1',
      forwarded: 'for=10.0.0.1',
      'x-http-method-override': 'DELETE',
      'x-original-url': '/v1/admin/users',
      'x-rewrite-url': '/v1/admin/users',
      'x-forwarded-port': '1',
      'x-forwarded-prefix': '/admin',
      'x-real-ip': '10.0.0.1',
    };
    const answer = await client!.ask({ host: 'api', path: `${trips()}?from=1`, token: await token(), headers: forged });
    expect(answer.status).toBe(200);
    const { method, url, headers, names } = toldToApi(answer);
    expect({ method, url }).toEqual({ method: 'GET', url: `${trips()}?from=1` });
    expect(headers).toMatchObject({
      'x-outrider-device': car?.id,
      'x-outrider-thumbprint': await car!.thumbprint(),
      'x-outrider-scope': 'trips:read',
      'x-outrider-admitted-by': 'token',
      'x-forwarded-for': '127.0.0.1',
      'x-real-ip': '127.0.0.1',
    });
    const lower = names.map((name) => name.toLowerCase().replaceAll('_', '-'));
    expect(lower.filter((name) => name === 'x-outrider-device')).toHaveLength(1);
    for (const name of [
      'x-outrider-recovery',
      'authorization',
      'dpop',
      'client-cert',
      'x-forwarded-client-cert',
      'forwarded',
      'x-http-method-override',
      'x-original-url',
      'x-rewrite-url',
      'x-forwarded-port',
      'x-forwarded-prefix',
    ])
      expect(lower).not.toContain(name);
  });

  test('gets bodies as they are, of any method that a rule names, and nothing of others', async () => {
    const body = 'x'.repeat(100_000);
    const posted = await client!.ask({
      host: 'api',
      method: 'POST',
      path: trips(),
      token: await token('trips:write'),
      body,
    });
    expect(toldToApi(posted)).toMatchObject({ method: 'POST', bytes: body.length });
    expect((await client!.ask({ host: 'api', method: 'HEAD', path: trips(), token: await token() })).status).toBe(200);
    for (const method of ['OPTIONS', 'DELETE', 'PUT', 'BREW'])
      expect(codeOf(await client!.ask({ host: 'api', method, path: trips(), token: await token() }))).toMatch(
        /^(403 gateway.route_unknown|405 .*)$/s,
      );
    expect((await client!.ask({ host: 'api', path: '/status' })).status).toBe(200);
    expect((await nobody!.ask({ host: 'api', path: '/status' })).status).toBe(200);
  });

  test('is spared what may not come, and the client hears why', async () => {
    const ask = async (by: EdgeClient, path: string, more: object = {}) =>
      codeOf(await by.ask({ host: 'api', path, token: await token(), ...more }));
    expect(await ask(thief!, trips())).toBe('401 auth.token_binding_mismatch');
    expect(await ask(nobody!, trips())).toBe('401 tls.certificate_required');
    expect(await ask(client!, trips(), { token: undefined })).toBe('401 auth.token_missing');
    expect(await ask(client!, trips(), { token: await car!.token() })).toBe('401 auth.token_invalid');
    expect(await ask(client!, `/v1/vehicles/${other!.id}/trips`)).toBe('403 auth.wrong_device');
    expect(await ask(client!, '/v1/vehicles')).toBe('403 gateway.route_unknown');
    expect(await ask(client!, `${trips()}?access_token=x`)).toBe('400 auth.token_in_query');
    const refused = await client!.ask({ host: 'api', path: trips() });
    expect(refused.headers['www-authenticate']).toMatch(/^Bearer realm="outrider", scope="trips:read", DPoP /);
    expect(refused.headers['www-authenticate']?.match(/Bearer realm=/g)).toHaveLength(1);
    expect(refused.headers['content-type']).toContain('application/problem+json');
    expect(refused.headers['cache-control']).toBe('no-store');
  });

  test.each([
    '//v1/admin/users',
    '/v1/vehicles/../admin/users',
    '/v1/%2e%2e/v1/admin/users',
    '/v1/vehicles%2f..%2fadmin/users',
    '/v1/vehicles/x/..;/admin/users',
    '/v1/admin%2fusers',
    '/v1/vehicles/%252e%252e/admin',
    '/v1/ADMIN/users',
    '/v1/admin/users',
    '/v1/./admin/users',
  ])('%s reaches it by no reading', async (path) => {
    expect(codeOf(await client!.ask({ host: 'api', path, token: await token() }))).toMatch(
      /^(400 gateway.path_ambiguous|403 gateway.route_unknown|400 <html>)/,
    );
  });

  test('takes control with a proof by a key of the vehicle, once', async () => {
    const prover = new Prover();
    const direct = new Thief(car!.certificate, car!.key);
    const bound = await prover.token(direct, car!.id, 'trips:write');
    await direct.close();
    const path = `/v1/vehicles/${car!.id}/preconditioning`;
    const htu = `https://${endpoints.edge.hosts.api}:${endpoints.edge.ports.nginx}${path}`;
    const ask = (proof: string) =>
      client!.ask({ host: 'api', method: 'POST', path, headers: { authorization: `DPoP ${bound}`, dpop: proof } });
    const prove = (claims: object) =>
      prover.proof({ service: 'gateway', method: 'POST', path, token: bound }, { htu, ...claims });
    const first = await ask(prove({}));
    expect(codeOf(first)).toBe('401 auth.dpop_nonce');
    const proof = prove({ nonce: first.headers['dpop-nonce'] });
    expect(toldToApi(await ask(proof)).headers).toMatchObject({ 'x-outrider-admitted-by': 'dpop' });
    expect(codeOf(await ask(proof))).toBe('401 auth.dpop_replayed');
    expect(codeOf(await client!.ask({ host: 'api', method: 'POST', path, token: await token('trips:write') }))).toBe(
      '401 auth.dpop_required',
    );
  });

  test('what was refused is in the decision log', async () => {
    await until('the refusal', async () => {
      const { body } = await operator('gateway', 'GET', `/v1/decisions?code=auth.wrong_device&device=${car!.id}`);
      return body.items.some(
        ({ service, action }: { service: string; action: string }) =>
          service === 'gateway' && action.includes('demo-api'),
      );
    });
  });

  test('gets nothing while gateway is away: the edge fails closed', async () => {
    const compact = await token();
    const former = killHard('gateway');
    const answer = await client!.ask({ host: 'api', path: trips(), token: compact });
    expect(codeOf(answer)).toBe('503 service.upstream_unavailable');
    await until('gateway is back', () => isBack('gateway', former) && isReady('gateway'), { withinMs: 60_000 });
    await until(
      'the edge asks it again',
      async () => {
        return (await client!.ask({ host: 'api', path: trips(), token: await token() })).status === 200;
      },
      { withinMs: 20_000 },
    );
  }, 120_000);
});
