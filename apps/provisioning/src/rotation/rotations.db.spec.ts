import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals';
import { type Registry, registryOf } from '../est/registry.fixture.js';
import { est, newKeys, received, request, type Suite, send, startSuite, until } from '../est/suite.fixture.js';

let suite: Suite;
let registry: Registry;

beforeAll(async () => {
  suite = await startSuite();
  registry = registryOf(suite);
}, 60_000);

afterAll(async () => {
  await suite?.stop();
});

interface Shown {
  readonly id: string;
  readonly state: string;
  readonly selected: number;
  readonly renewed: number;
  readonly outstanding: number;
  readonly gone: number;
  readonly next: string | null;
  readonly items: Shown[];
  readonly stragglers: { items: { device_id: string; last_seen_at: string | null }[]; next: string | null };
}

const OPERATOR = `op:${randomUUID()}`;

async function call(method: string, path: string, body?: object, scope = 'device:read device:write', more = {}) {
  const authorization = `Bearer ${suite.operatorToken(scope, OPERATOR)}`;
  const headers = { 'content-type': 'application/json', authorization, ...more };
  const sent = body ? { body: JSON.stringify(body) } : {};
  const answer = await send(suite, `${suite.operatorUrl}${path}`, { method, headers, ...sent });
  return { status: answer.status, body: JSON.parse(answer.body) as Shown & { code?: string } };
}

type Enrolled = Awaited<ReturnType<Registry['enrolled']>>;

/** A vehicle with the label, its certificate in use. */
async function vehicle(name: string, label: string): Promise<Enrolled> {
  const enrolled = await registry.enrolled(name);
  expect((await call('PATCH', `/v1/devices/${name}`, { labels: [label] })).status).toBe(200);
  return enrolled;
}

async function window(client: Enrolled): Promise<{ start: number; end: number }> {
  const { authorityKeyId = '', serialNumber } = client.certificate;
  const id = [authorityKeyId, serialNumber].map((hex) => Buffer.from(hex, 'hex').toString('base64url')).join('.');
  const answer = await send(suite, `${suite.vehicleUrl}/.well-known/est/renewal-info/${id}`, { client });
  const { start, end } = JSON.parse(answer.body).suggestedWindow;
  return { start: Date.parse(start), end: Date.parse(end) };
}

async function renew(name: string, old: Enrolled): Promise<Enrolled> {
  const keys = newKeys();
  return { ...old, ...received(await est(suite, 'simplereenroll', old, request(name, keys)), keys) };
}

const order = (parts: object) => ({ within_seconds: 10, reason: 'a test', ...parts });

describe('a rotation', () => {
  it('moves the windows of those with the label to now, and counts who has renewed and uses it', async () => {
    const names = ['turn-1', 'turn-2', 'turn-3'];
    const vehicles = await Promise.all(names.map((name) => vehicle(name, 'turn')));
    const [other, [first]] = [await vehicle('stay-1', 'stay'), vehicles as [Enrolled]];
    const before = await window(other);
    const started = await call('POST', '/v1/rotations', order({ label: 'turn', waves: 3 }));
    expect(started).toMatchObject({
      status: 201,
      body: { state: 'under_way', selected: 3, renewed: 0, outstanding: 3 },
    });
    const path = `/v1/rotations/${started.body.id}`;
    const windows = await Promise.all(vehicles.map(window));
    for (const { end } of windows) expect(end).toBeLessThanOrEqual(Date.now() + 11_000);
    expect(new Set(windows.map(({ start }) => start)).size).toBe(3);
    expect(await window(other)).toEqual(before);

    const renewed = await renew('turn-1', first);
    expect((await call('GET', path)).body.renewed).toBe(0);
    expect((await window(renewed)).start).toBeGreaterThan(Date.now() + 60_000);
    expect((await call('GET', path)).body).toMatchObject({ renewed: 1, outstanding: 2, state: 'under_way' });

    expect((await call('POST', '/v1/devices/turn-2/retire')).status).toBe(200);
    expect((await call('GET', path)).body).toMatchObject({ renewed: 1, gone: 1, outstanding: 1 });
    await until(async () => (await call('GET', path)).body.state === 'overdue', 15_000);
    const { stragglers } = (await call('GET', path)).body;
    expect(stragglers).toMatchObject({ items: [{ device_id: 'turn-3' }], next: null });
    expect(Date.parse(stragglers.items[0]?.last_seen_at ?? '')).toBeGreaterThan(Date.now() - 60_000);
    await window(await renew('turn-3', vehicles[2] as Enrolled));
    expect((await call('GET', path)).body).toMatchObject({ state: 'done', renewed: 2, stragglers: { items: [] } });
  }, 60_000);

  it('is begun once by a key, however often it is sent', async () => {
    await vehicle('keyed-1', 'keyed');
    const send = (body: object, key = 'all of them') =>
      call('POST', '/v1/rotations', body, undefined, { 'idempotency-key': key.replaceAll(' ', '-') });
    const asked = order({ label: 'keyed', within_seconds: 600 });
    const answers = await Promise.all([1, 2, 3].map(() => send(asked)));
    const [first] = answers;
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const { items } = (await call('GET', '/v1/rotations')).body;
    expect(items.filter(({ id }) => id === first?.body.id)).toMatchObject([{ selected: 1 }]);
    expect(await send(order({ label: 'keyed', within_seconds: 300 }))).toMatchObject({
      status: 422,
      body: { code: 'request.idempotency_mismatch' },
    });
    expect((await send(asked, 'once more')).body.id).not.toBe(first?.body.id);
    await call('POST', `/v1/rotations/${first?.body.id}/cancel`);
    expect((await send(asked)).body).toMatchObject({ id: first?.body.id, state: 'cancelled' });
  });

  it('that is cancelled leaves those that have not renewed to their own time', async () => {
    const mine = await vehicle('cancel-1', 'cancel');
    const before = await window(mine);
    const { id } = (await call('POST', '/v1/rotations', order({ label: 'cancel' }))).body;
    expect(await window(mine)).not.toEqual(before);
    expect(await call('POST', `/v1/rotations/${id}/cancel`)).toMatchObject({
      status: 200,
      body: { state: 'cancelled' },
    });
    expect(await window(mine)).toEqual(before);
    expect((await call('POST', `/v1/rotations/${id}/cancel`)).body.state).toBe('cancelled');
  });

  it('takes no certificate that was handed out after it', async () => {
    await vehicle('late-1', 'late');
    await call('POST', '/v1/rotations', order({ label: 'late' }));
    const late = await vehicle('late-2', 'late');
    expect((await window(late)).start).toBeGreaterThan(Date.now() + 60_000);
  });

  it('selects by EST label as well', async () => {
    await vehicle('est-1', 'by-est');
    const both = await call('POST', '/v1/rotations', order({ label: 'by-est', est_label: 'default' }));
    expect(both).toMatchObject({ status: 201, body: { selected: 1 } });
    const none = await call('POST', '/v1/rotations', order({ label: 'by-est', est_label: 'short' }));
    expect(none).toMatchObject({ status: 409, body: { code: 'provisioning.rotation_empty' } });
  });

  it('of everyone takes everyone in service, a page of stragglers at a time', async () => {
    for (const name of ['all-1', 'all-2', 'all-3']) await vehicle(name, 'all');
    await registry.registered('all-idle');
    const { body } = await call('POST', '/v1/rotations', order({ all: true, within_seconds: 10 }));
    expect(body.selected).toBeGreaterThanOrEqual(3);
    await until(async () => (await call('GET', `/v1/rotations/${body.id}`)).body.state === 'overdue', 15_000);
    const seen: string[] = [];
    for (let after = ''; ; ) {
      const page = (await call('GET', `/v1/rotations/${body.id}?limit=2${after && `&after=${after}`}`)).body.stragglers;
      seen.push(...page.items.map(({ device_id }) => device_id));
      expect(page.items.length).toBeLessThanOrEqual(2);
      if (!page.next) break;
      after = page.next;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toHaveLength(body.outstanding);
    expect(seen).toEqual(expect.arrayContaining(['all-1', 'all-2', 'all-3']));
    expect(seen).not.toContain('all-idle');
  }, 60_000);

  it('is listed, the newest first', async () => {
    const first = (await call('GET', '/v1/rotations?limit=2')).body;
    expect(first.items).toHaveLength(2);
    const second = (await call('GET', `/v1/rotations?limit=2&after=${first.next}`)).body;
    const ids = [...first.items, ...second.items].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test.each<[string, string, object | undefined, string, number, string]>([
    ['POST', '/v1/rotations', order({ all: true }), 'device:read', 403, 'auth.scope_insufficient'],
    ['POST', '/v1/rotations', order({}), 'device:write', 400, 'request.invalid'],
    ['POST', '/v1/rotations', order({ label: 'nobody-has-it' }), 'device:write', 409, 'provisioning.rotation_empty'],
    ['GET', '/v1/rotations/nonsense', undefined, 'device:read', 400, 'request.invalid'],
    [
      'POST',
      '/v1/rotations/11111111-2222-4333-8444-555555555555/cancel',
      undefined,
      'device:write device:read',
      404,
      'provisioning.rotation_not_found',
    ],
  ])('%s %s', async (method, path, body, scope, status, code) => {
    expect(await call(method, path, body, scope)).toMatchObject({ status, body: { code } });
  });
});
