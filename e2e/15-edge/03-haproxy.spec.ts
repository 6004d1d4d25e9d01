import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  type Answered,
  EdgeClient,
  HAPROXY,
  type Running,
  startDemoApi,
  startEdgeMap,
  startHaproxy,
  toldToApi,
} from '../harness/edge.js';
import { operator } from '../harness/operator.js';
import { until } from '../harness/until.js';
import { Vehicle } from '../harness/vehicle.js';

const suite = HAPROXY ? describe : describe.skip;
let [api, haproxy, map]: Running[] = [];

const codeOf = ({ status, body }: Answered) => `${status} ${/"code":"([a-z_.]+)"/.exec(body)?.[1] ?? ''}`.trim();
const byEdge = ({ headers }: Answered) => headers['x-outrider-denied-by'] === 'edge';

/** A vehicle that drives through HAProxy on one kept connection. */
async function driver(name: string) {
  const vehicle = await Vehicle.enrol(name);
  const client = new EdgeClient('haproxy', vehicle);
  const token = await vehicle.token('trips:read');
  const ask = () => client.ask({ host: 'api', path: `/v1/vehicles/${vehicle.id}/trips`, token });
  return { vehicle, client, ask };
}

suite(`haproxy denies by itself${HAPROXY ? '' : ' (skipped: haproxy not installed)'}`, () => {
  beforeAll(async () => {
    [api, haproxy] = [await startDemoApi(), await startHaproxy()];
    map = await startEdgeMap();
  }, 120_000);
  afterAll(async () => {
    await Promise.all([api, haproxy, map].map((one) => one?.stop()));
  });

  test("the team's API is told who asks, and nothing that the client wrote itself", async () => {
    const { vehicle, client, ask } = await driver('haproxy');
    const headers = {
      'x-outrider-device': 'another',
      'X-Outrider-Recovery': 'true',
      x_outrider_device: 'another',
      'client-cert': ':AAAA:',
      'x-forwarded-for': '10.0.0.1',
      'x-http-method-override': 'DELETE',
      'x-original-url': '/v1/admin/users',
      'x-forwarded-prefix': '/admin',
      'x-real-ip': '10.0.0.1',
    };
    const token = await vehicle.token('trips:read');
    const answer = await client.ask({ host: 'api', path: `/v1/vehicles/${vehicle.id}/trips?a=1`, token, headers });
    expect(answer.status).toBe(200);
    const told = toldToApi(answer);
    expect(told).toMatchObject({ method: 'GET', url: `/v1/vehicles/${vehicle.id}/trips?a=1` });
    expect(told.headers).toMatchObject({
      'x-outrider-device': vehicle.id,
      'x-outrider-admitted-by': 'token',
      'x-forwarded-for': '127.0.0.1',
    });
    const names = told.names.map((name) => name.toLowerCase().replaceAll('_', '-'));
    expect(names.filter((name) => name === 'x-outrider-device')).toHaveLength(1);
    for (const name of [
      'x-outrider-recovery',
      'authorization',
      'client-cert',
      'x-http-method-override',
      'x-original-url',
      'x-forwarded-prefix',
      'x-real-ip',
    ])
      expect(names).not.toContain(name);
    expect(codeOf(await client.ask({ host: 'api', path: '/v1/%2e%2e/admin', token }))).toBe(
      '400 gateway.path_ambiguous',
    );
    expect(
      codeOf(await client.ask({ host: 'api', method: 'DELETE', path: `/v1/vehicles/${vehicle.id}/trips`, token })),
    ).toBe('403 gateway.route_unknown');
    const refused = await client.ask({ host: 'api', path: `/v1/vehicles/${vehicle.id}/trips` });
    expect(codeOf(refused)).toBe('401 auth.token_missing');
    expect(refused.headers['www-authenticate']).toContain('Bearer realm="outrider"');
    expect((await ask()).status).toBe(200);
    client.close();
  });

  test('a revoked certificate, on the connection that it had', async () => {
    const { vehicle, client, ask } = await driver('haproxy-revoked');
    expect((await ask()).status).toBe(200);
    const begun = performance.now();
    const body = { thumbprint: await vehicle.thumbprint(), reason: 'key-compromise' };
    expect((await operator('revocation', 'POST', '/revoke', { body })).status).toBe(200);
    await until('the edge denies', async () => byEdge(await ask()), { withinMs: 20_000, everyMs: 5 });
    // A second is what it is to take; a machine busy with tests may take longer, and says so.
    console.log(`revoke to the edge's own refusal: ${Math.round(performance.now() - begun)} ms`);
    expect(codeOf(await ask())).toMatch(/^403 denylist\.(certificate|device)$/);
    expect(codeOf(await client.ask({ host: 'vehicles', path: '/v1/telemetry/window' }))).toMatch(/^403 denylist\./);
    client.close();
  });

  test('a blocked device until it is unblocked', async () => {
    const { vehicle, client, ask } = await driver('haproxy-blocked');
    const block = (path: string) =>
      operator('gateway', 'POST', path, { body: { device_id: vehicle.id, mode: 'deny', reason: 'trial' } });
    expect((await block('/admin/block')).status).toBe(200);
    await until('the edge denies', async () => byEdge(await ask()), { withinMs: 20_000, everyMs: 20 });
    const unblock = { device_id: vehicle.id, reason: 'trial' };
    expect((await operator('gateway', 'POST', '/admin/unblock', { body: unblock })).status).toBe(200);
    await until('the edge lets it by', async () => !byEdge(await ask()), { withinMs: 20_000, everyMs: 20 });
    client.close();
  });

  test('whom it knew before, after it started again; and what came while its maps were not kept, once they are', async () => {
    const [before, meanwhile] = [await driver('haproxy-before'), await driver('haproxy-meanwhile')];
    const revoke = async ({ vehicle }: typeof before) => {
      const body = { thumbprint: await vehicle.thumbprint(), reason: 'key-compromise' };
      expect((await operator('revocation', 'POST', '/revoke?wait=enforced', { body })).status).toBe(200);
    };
    await revoke(before);
    await until('the edge denies', async () => byEdge(await before.ask()), { withinMs: 20_000 });
    await map?.stop();
    await revoke(meanwhile);
    const answer = await meanwhile.ask();
    expect(byEdge(answer)).toBe(false);
    expect(codeOf(answer)).toMatch(/^403 denylist\./);
    map = await startEdgeMap();
    await until('the edge denies', async () => byEdge(await meanwhile.ask()), { withinMs: 20_000 });
    await haproxy?.stop();
    haproxy = await startHaproxy({ keepMaps: true });
    for (const one of [before, meanwhile]) expect(byEdge(await one.ask())).toBe(true);
    for (const one of [before, meanwhile]) one.client.close();
  }, 120_000);
});
