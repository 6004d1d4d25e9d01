/** Blocks of more than devices, such as end by themselves, and what is told of them afterwards. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { certificateBatchRevoked, certificateRevoked, deviceRevoked } from '@outrider/contracts';
import { publishEvent, type Suite, startDenylist, startRegistry, startSuite, until } from '../suite.fixture.js';

const DEVICE = 'device-12345';
const THUMBPRINT = `${'t'.repeat(42)}A`;
const WAIT_MS = 20_000;
let suite: Suite;
let denylist: ReturnType<typeof startDenylist>;

beforeAll(async () => {
  suite = await startSuite();
  denylist = startDenylist(suite.revocation);
  startRegistry(suite.provisioning, DEVICE, THUMBPRINT);
}, 60_000);
afterAll(async () => {
  await suite?.stop();
});

const block = (body: object) => suite.call('POST', '/admin/block', 'gateway:block', body);
const unblock = (body: object) => suite.call('POST', '/admin/unblock', 'gateway:block', body);
const blocks = async (query = '') => (await suite.call('GET', `/v1/blocks?${query}`, 'gateway:block')).body.items;
const history = async (query: string) => (await suite.call('GET', `/v1/blocks/history?${query}`, 'gateway:block')).body;

describe('a block', () => {
  it.each([
    [{ thumbprint: THUMBPRINT }, 'certificate', THUMBPRINT, 'recovery'],
    [{ network: '192.0.2.77/24' }, 'network', '192.0.2.0/24', 'deny'],
    [{ token_id: 'jti-1' }, 'token', 'jti-1', 'deny'],
  ])('of %j is on the denylist until it is lifted', async (named, kind, value, mode) => {
    const answer = await block({ ...named, ticket: 'T-1', reason: 'seen abroad' });
    expect(answer).toMatchObject({ status: 200, body: { blocked: true, mode, pending: [] } });
    expect(denylist.asked.at(-1)).toMatchObject({ verb: 'add', entries: [{ kind, value, mode, reason: 'blocked' }] });
    expect(await blocks(`kind=${kind}`)).toMatchObject([
      { kind, ticket: 'T-1', reason: 'seen abroad', by: expect.stringMatching(/^op:/), delivered: true },
    ]);
    expect((await unblock({ ...named, reason: 'home again', ticket: 'T-2' })).status).toBe(200);
    expect(denylist.asked.at(-1)).toMatchObject({ verb: 'remove', entries: [{ kind, value }] });
    expect(await blocks(`kind=${kind}`)).toEqual([]);
    const query = new URLSearchParams(named as Record<string, string>);
    expect(await history(query.toString())).toMatchObject({
      items: [
        { blocked: false, reason: 'home again', ticket: 'T-2', trace_id: expect.any(String) },
        { blocked: true, reason: 'seen abroad', ticket: 'T-1' },
      ],
      next: null,
    });
  });

  it.each([
    [{ network: '127.0.0.0/8' }, 422, 'gateway.network_refused'],
    [{ network: '0.0.0.0/0' }, 422, 'gateway.network_refused'],
    [{ network: 'here' }, 400, 'request.invalid'],
    [{ token_id: 'x', network: '192.0.2.1' }, 400, 'request.invalid'],
    [{ network: '192.0.2.1', expires_at: '2020-01-01T00:00:00Z' }, 400, 'request.invalid'],
    [{}, 400, 'gateway.target_missing'],
  ])('is refused for %j', async (body, status, code) => {
    expect(await block(body)).toMatchObject({ status, body: { code } });
  });

  it('lifts itself when its time is over, over a restart too, and tells the registry', async () => {
    const { body } = await block({ device_id: DEVICE, expires_in: 4 });
    expect(Date.parse(body.expires_at)).toBeGreaterThan(Date.now());
    expect((await block({ network: '198.51.100.1', expires_in: 2 })).status).toBe(200);
    await suite.restart();
    expect(await blocks('kind=device')).toMatchObject([{ device_id: DEVICE, expires_at: body.expires_at }]);
    await until(async () => (await blocks()).length === 0, WAIT_MS);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(body.expires_at));
    await until(() => denylist.asked.at(-1)?.entries[0]?.value === DEVICE, WAIT_MS);
    expect(denylist.asked.at(-1)).toMatchObject({ verb: 'remove' });
    expect((await history(`device_id=${DEVICE}`)).items).toMatchObject([
      { blocked: false, by: 'expiry', reason: 'the block has expired' },
      { blocked: true },
    ]);
    const admin = await suite.database.admin();
    const told = await admin.query(`SELECT 1 FROM outbox WHERE subject LIKE 'gateway.block.changed%'`);
    await admin.end();
    expect(told.rowCount).toBe(0);
  });

  it('gives nothing back after a key compromise, neither by hand nor by time', async () => {
    const at = new Date().toISOString();
    const ref = {
      deviceId: DEVICE,
      issuerKeyId: 'a'.repeat(40),
      serialNumber: '01',
      thumbprint: THUMBPRINT,
      keyThumbprint: `${'k'.repeat(42)}A`,
      notBefore: at,
      notAfter: at,
    };
    const because = { reason: 'keyCompromise', revokedAt: at, revokedBy: 'op:1' };
    expect((await block({ thumbprint: THUMBPRINT })).status).toBe(200);
    await publishEvent(suite.revocation, certificateRevoked, { ref, ...because });
    await publishEvent(suite.revocation, deviceRevoked, { deviceId: DEVICE, ...because }, DEVICE);
    const refused = async (named: object) => (await unblock({ ...named, reason: 'please' })).body.code;
    const ofJob = `${'j'.repeat(42)}A`;
    expect((await block({ thumbprint: ofJob })).status).toBe(200);
    const refs = [{ ...ref, thumbprint: ofJob }];
    await publishEvent(suite.revocation, certificateBatchRevoked, { refs, ...because });
    for (const thumbprint of [THUMBPRINT, ofJob])
      await until(async () => (await refused({ thumbprint })) === 'gateway.reprovision_required', WAIT_MS);
    await until(async () => (await refused({ device_id: DEVICE })) === 'gateway.reprovision_required', WAIT_MS);
    expect((await block({ device_id: DEVICE, expires_in: 1 })).status).toBe(200);
    await until(async () => {
      const [item] = await blocks('kind=device');
      return item?.by === 'expiry' && item.expires_at === undefined && item.delivered;
    }, WAIT_MS);
  });
});

describe('lists', () => {
  it('come page by page', async () => {
    for (const n of [1, 2, 3]) await block({ network: `203.0.113.${n}` });
    const first = (await suite.call('GET', '/v1/blocks?kind=network&limit=2', 'gateway:block')).body;
    expect(first.items.map(({ network }: { network: string }) => network)).toEqual([
      '203.0.113.1/32',
      '203.0.113.2/32',
    ]);
    const after = encodeURIComponent(first.next);
    const second = (await suite.call('GET', `/v1/blocks?kind=network&limit=2&after=${after}`, 'gateway:block')).body;
    expect(second).toMatchObject({ items: [{ network: '203.0.113.3/32' }], next: null });
    const changes = await history('limit=2');
    expect(changes.items.map(({ network }: { network: string }) => network)).toEqual([
      '203.0.113.3/32',
      '203.0.113.2/32',
    ]);
    expect((await history(`limit=1&after=${changes.next}`)).items).toMatchObject([{ network: '203.0.113.1/32' }]);
  });
});
