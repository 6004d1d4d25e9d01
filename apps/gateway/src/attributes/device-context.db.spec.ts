import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DeviceContext, deviceChanged, deviceContextGet, deviceGet, messageAccepted } from '@outrider/contracts';
import { answer, publishEvent, type Suite, startSuite, until } from '../suite.fixture.js';

let suite: Suite;
let command: Awaited<ReturnType<Suite['nats']['connectAs']>>;
const asked: string[] = [];

beforeAll(async () => {
  suite = await startSuite();
  command = await suite.nats.connectAs('command');
  answer(suite.provisioning, deviceGet, async ({ deviceId }: { deviceId: string }) => {
    asked.push(deviceId);
    return deviceId.startsWith('nobody')
      ? { error: { code: 'provisioning.device_not_found' } }
      : { ok: { device: snapshot(deviceId, { state: 'active', labels: ['asked'] }), certificates: [] } };
  });
}, 60_000);
afterAll(async () => {
  await command?.close();
  await suite?.stop();
});

function snapshot(deviceId: string, parts: object = {}) {
  const at = new Date().toISOString();
  return {
    deviceId,
    state: 'active',
    grants: [],
    attestation: 'none',
    minEpoch: 0,
    version: 1,
    changedAt: at,
    ...parts,
  };
}
const register = (deviceId: string, parts: object = {}) =>
  publishEvent(suite.provisioning, deviceChanged, snapshot(deviceId, parts), deviceId);

let seq = 0;
function drive(deviceId: string, telemetry: object, ts = Date.now() / 1000) {
  seq += 1;
  const payload = JSON.stringify({ device_id: deviceId, seq, ts, telemetry });
  const rest = { stream: 'main', epoch: 0, receivedAt: new Date().toISOString(), canonicalSha256: 'a'.repeat(64) };
  const event = { deviceId, seq, ts, payload, thumbprint: `${'t'.repeat(42)}A`, ...rest };
  return publishEvent(suite.telemetry, messageAccepted, event, deviceId);
}

async function context(deviceId: string) {
  const reply = await command.request(deviceContextGet.subject, JSON.stringify({ deviceId }), { timeout: 3000 });
  return reply.json<{ ok?: unknown; error?: { code: string } }>();
}
const known = async (deviceId: string) => DeviceContext.parse((await context(deviceId)).ok);

async function rows(sql: string, values: unknown[] = []) {
  const admin = await suite.database.admin();
  const { rows: found } = await admin.query(sql, values);
  await admin.end();
  return found;
}

describe('what gateway knows of a vehicle', () => {
  it('comes from the registry and from its telemetry, the last word by time', async () => {
    await register('car-1', { labels: ['berlin'] });
    const now = Date.now() / 1000;
    await drive('car-1', { speed: 41.2, lat: 52.5, lon: 13.4 }, now - 2);
    await drive('car-1', { speed: 90, lat: 1, lon: 1 }, now - 60);
    await until(async () => (await known('car-1')).speedKmh === 42 && (await known('car-1')).labels[0] === 'berlin');
    expect(await known('car-1')).toMatchObject({
      state: 'active',
      attestation: 'none',
      labels: ['berlin'],
      timeZone: 'UTC',
      geofences: [],
      outsideGeofence: false,
    });
    expect((await known('car-1')).telemetryAgeSeconds).toBeLessThan(30);
    await drive('car-1', { speed: 0, health: 'ok' }, now);
    await until(async () => (await known('car-1')).speedKmh === 0);
    await until(async () => (await rows('SELECT 1 FROM device_attributes WHERE health = $1', ['ok'])).length === 1);
    expect(await rows('SELECT speed_kmh, latitude FROM device_attributes')).toEqual([{ speed_kmh: 0, latitude: 52.5 }]);
  });

  it('asks provisioning for what it has not heard of, and says so where nobody knows', async () => {
    expect(await known('car-late')).toMatchObject({ state: 'active', labels: ['asked'] });
    await known('car-late');
    expect(asked.filter((id) => id === 'car-late')).toHaveLength(1);
    expect((await context('nobody-1')).error).toMatchObject({ code: 'provisioning.device_not_found' });
  });

  it('asks again for a vehicle that has just enrolled, and for one known by an older release only', async () => {
    await register('car-new', { state: 'registered', labels: [] });
    await register('car-old', {});
    await until(
      async () => (await rows(`SELECT 1 FROM devices WHERE device_id IN ('car-new', 'car-old')`)).length === 2,
    );
    expect(await known('car-new')).toMatchObject({ state: 'active' });
    expect(await known('car-old')).toMatchObject({ labels: ['asked'] });
  });

  it('a flood is written once a second, and survives what is no telemetry', async () => {
    const before = await rows('SELECT n_tup_ins + n_tup_upd AS n FROM pg_stat_user_tables WHERE relname = $1', [
      'device_attributes',
    ]);
    const now = Date.now() / 1000;
    const sends: Promise<unknown>[] = [];
    for (let i = 0; i < 4000; i += 1) sends.push(drive(`flood-${i % 100}`, { speed: i / 100 }, now - 100 + i / 100));
    await Promise.all(sends);
    await publishEvent(suite.telemetry, { ...messageAccepted }, { deviceId: 'other', ts: 'x' }, 'flood-1');
    await until(
      async () =>
        (await rows(`SELECT 1 FROM device_attributes WHERE device_id LIKE 'flood-%' AND speed_kmh >= 39`)).length ===
        100,
    );
    await until(async () => {
      const after = await rows('SELECT n_tup_ins + n_tup_upd AS n FROM pg_stat_user_tables WHERE relname = $1', [
        'device_attributes',
      ]);
      return Number(after[0].n) >= 100;
    });
    const after = await rows('SELECT n_tup_ins + n_tup_upd AS n FROM pg_stat_user_tables WHERE relname = $1', [
      'device_attributes',
    ]);
    expect(Number(after[0].n) - Number(before[0].n)).toBeLessThan(2500);
  }, 60_000);
});

describe('geofences', () => {
  const area = {
    type: 'Polygon',
    coordinates: [
      [
        [13, 52],
        [14, 52],
        [14, 53],
        [13, 53],
        [13, 52],
      ],
    ],
  };
  const put = (name: string, body: object, scope = 'device:write') =>
    suite.call('PUT', `/v1/geofences/${name}`, scope, body);

  it('count for the vehicles that have to keep to them', async () => {
    await register('van-1', { labels: ['berlin'] });
    await drive('van-1', { lat: 52.5, lon: 13.4 });
    await until(async () => (await known('van-1')).telemetryAgeSeconds !== undefined);
    const made = await put('berlin', { area, required_for: ['berlin'], time_zone: 'Europe/Berlin' });
    expect(made).toMatchObject({
      status: 200,
      body: { name: 'berlin', area, changed_by: expect.stringMatching(/^op:/) },
    });
    expect(await known('van-1')).toMatchObject({
      geofences: ['berlin'],
      outsideGeofence: false,
      timeZone: 'Europe/Berlin',
    });
    await drive('van-1', { lat: 48.1, lon: 11.6 });
    await until(async () => (await known('van-1')).outsideGeofence);
    expect(await known('van-1')).toMatchObject({ geofences: [], timeZone: 'Europe/Berlin' });
  });

  it('are listed, removed, and their changes kept', async () => {
    expect((await suite.call('GET', '/v1/geofences', 'device:read')).body.items).toHaveLength(1);
    expect((await suite.call('DELETE', '/v1/geofences/berlin', 'device:write')).status).toBe(204);
    expect(await suite.call('DELETE', '/v1/geofences/berlin', 'device:write')).toMatchObject({
      status: 404,
      body: { code: 'policy.geofence_not_found' },
    });
    expect(await known('van-1')).toMatchObject({ outsideGeofence: false, timeZone: 'UTC' });
    expect(await rows('SELECT name, area IS NULL AS removed FROM geofence_changes ORDER BY id')).toEqual([
      { name: 'berlin', removed: false },
      { name: 'berlin', removed: true },
    ]);
  });

  it('are changed and removed by nobody who has not seen them as they are', async () => {
    const path = '/v1/geofences/seen';
    const change = (method: 'PUT' | 'DELETE', ifMatch: unknown, body?: object) =>
      suite.call(method, path, 'device:write', body, { 'if-match': String(ifMatch) });
    const failed = { status: 412, body: { code: 'request.precondition_failed' } };
    expect(await change('PUT', '*', { area })).toMatchObject(failed);
    // As no database writes it: the same area all the same.
    const { type, coordinates } = area;
    const made = await put('seen', { area: { coordinates, type } });
    const seen = await suite.call('GET', path, 'device:read');
    expect(seen.headers.etag).toMatch(/^"[\w-]{22}"$/);
    expect(made.headers.etag).toBe(seen.headers.etag);
    const changed = await change('PUT', seen.headers.etag, { area, time_zone: 'UTC' });
    expect(changed.status).toBe(200);
    expect(await change('PUT', seen.headers.etag, { area })).toMatchObject(failed);
    expect(await change('DELETE', seen.headers.etag)).toMatchObject(failed);
    expect((await suite.call('GET', path, 'device:read')).body).toMatchObject({ time_zone: 'UTC' });
    expect((await change('DELETE', changed.headers.etag)).status).toBe(204);
  });

  it.each([
    [
      'a ring that does not close',
      { area: { ...area, coordinates: [area.coordinates[0]?.slice(0, 4)] } },
      'policy.geofence_invalid',
    ],
    ['a time zone that there is not', { area, time_zone: 'Mars/Olympus' }, 'request.invalid'],
    ['a point', { area: { type: 'Point', coordinates: [1, 2] } }, 'request.invalid'],
  ])('refuses %s', async (_name, body, code) => {
    expect(await put('wrong', body)).toMatchObject({ status: 400, body: { code } });
  });

  it('asks for the scope to change them', async () => {
    expect((await put('berlin', { area }, 'device:read')).status).toBe(403);
  });
});
