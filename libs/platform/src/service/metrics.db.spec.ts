import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { jwksGet } from '@outrider/contracts';
import { until } from '@outrider/testing';
import { Nats } from '../nats/nats.client.js';
import { type PlatformGround, startPlatform } from './platform.fixture.js';

let ground: PlatformGround;

beforeAll(async () => {
  ground = await startPlatform();
}, 60_000);

afterAll(() => ground?.stop());

const get = async (path: string) => (await fetch(`${ground.httpUrl}${path}`)).text();
/** The value of the one series that begins so; undefined where there is none. */
async function sample(series: string): Promise<number | undefined> {
  const line = (await get('/metrics')).split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}
const count = (route: string, method: string, status: string) =>
  sample(
    `outrider_http_request_duration_seconds_count{listener="http",route="${route}",method="${method}",status="${status}"}`,
  );

describe('requests', () => {
  it('counts by route, method and class of status, and errors by code', async () => {
    const body = (n: unknown) => ({
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ n }),
    });
    await fetch(`${ground.httpUrl}/probe`, body(1));
    await fetch(`${ground.httpUrl}/probe`, body('one'));
    await get('/bug');
    expect(await count('/probe', 'POST', '2xx')).toBe(1);
    expect(await count('/probe', 'POST', '4xx')).toBe(1);
    expect(await count('/bug', 'GET', '5xx')).toBe(1);
    expect(await sample('outrider_http_errors_total{listener="http",code="request.invalid"}')).toBe(1);
    expect(await sample('outrider_http_errors_total{listener="http",code="service.internal"}')).toBe(1);
  });

  it('makes no label of what nobody registered, nor of a method that a stranger invents', async () => {
    await get('/devices/device-12345/secrets');
    await get('/%ff');
    await fetch(`${ground.httpUrl}/probe`, { method: 'PROPFIND' });
    await fetch(`${ground.httpUrl}/probe`, { method: 'GET', headers: { 'content-encoding': 'gzip' } });
    const text = await get('/metrics');
    expect(text).not.toMatch(/device-12345|PROPFIND|%ff/);
    expect(await count('unmatched', 'GET', '4xx')).toBeGreaterThanOrEqual(2);
    expect(await count('unmatched', 'other', '4xx')).toBe(1);
  });

  it('knows the request under way: the one that asks', async () => {
    expect(await sample('outrider_http_requests_in_flight{listener="http"}')).toBe(1);
  });
});

describe('what a service leans on', () => {
  it('tells of the connections to PostgreSQL, and of who waits for one', async () => {
    expect(await sample('outrider_postgres_connections{state="idle"}')).toBeGreaterThanOrEqual(1);
    expect(await sample('outrider_postgres_connections_max')).toBeGreaterThan(1);
    expect(await sample('outrider_postgres_waiting')).toBe(0);
  });

  it('tells how long each certificate is still good for', async () => {
    for (const name of [
      'vehicle_listener',
      'operator_listener',
      'identity',
      'fleet_root',
      'vehicle_ca',
      'control_ca',
    ]) {
      expect(await sample(`outrider_certificate_expiry_seconds{certificate="${name}"}`)).toBeGreaterThan(0);
    }
  });

  it('counts a request that nobody answers as one', async () => {
    const asked = ground.app.get(Nats).request(jwksGet, {}, { timeoutMs: 200 });
    await expect(asked).rejects.toMatchObject({ code: 'service.upstream_unavailable' });
    const series = `outrider_nats_request_duration_seconds_count{subject="${jwksGet.subject}",code="service.upstream_unavailable"}`;
    expect(await sample(series)).toBeGreaterThanOrEqual(1);
  });

  it('counts what waits in the outbox', async () => {
    await until(async () => (await sample('outrider_backlog_items{queue="outbox"}')) === 0);
    expect(await sample('outrider_backlog_oldest_seconds{queue="outbox"}')).toBe(0);
  });

  it('tells how far the event loop lags', async () => {
    expect(await sample('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0);
  });
});
