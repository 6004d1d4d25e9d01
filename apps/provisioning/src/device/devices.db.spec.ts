import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestFleet, issueFactoryDevice } from '@outrider/testing';
import { type Answer, est, newKeys, request, type Suite, send, startSuite } from '../est/suite.fixture.js';

let suite: Suite;

beforeAll(async () => {
  suite = await startSuite();
}, 60_000);

afterAll(async () => {
  await suite?.stop();
});

type Parsed = Answer & { readonly json: Record<string, unknown> & { items: Record<string, unknown>[] } };

async function call(
  method: string,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
  scope = 'device:read device:write',
): Promise<Parsed> {
  const all = { 'content-type': 'application/json', authorization: `Bearer ${suite.operatorToken(scope)}`, ...headers };
  const answer = await send(suite, `${suite.operatorUrl}${path}`, {
    method,
    headers: all,
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return { ...answer, json: JSON.parse(answer.body) };
}

const device = (name: string, parts: object = {}) => ({
  device_id: name,
  manufacturer: 'demo-motors',
  serial_number: `DM-${name.toUpperCase()}`,
  ...parts,
});

describe('devices', () => {
  it('registers one, once', async () => {
    const body = device('reg-one', { vin: '1HGCM82633A004352', labels: ['test'], grants: ['command:receive'] });
    const first = await call('POST', '/v1/devices', body);
    expect(first.status).toBe(201);
    expect(first.json).toMatchObject({ ...body, state: 'registered', version: 1, attestation: 'none' });
    expect((await call('POST', '/v1/devices', body)).status).toBe(200);
    for (const parts of [{ serial_number: 'DM-OTHER' }, { grants: ['command:critical'] }]) {
      const other = await call('POST', '/v1/devices', { ...body, ...parts });
      expect(other).toMatchObject({ status: 409, json: { code: 'provisioning.device_conflict' } });
    }
    const sameIdentity = await call('POST', '/v1/devices', { ...device('reg-two'), serial_number: 'DM-REG-ONE' });
    expect(sameIdentity.status).toBe(409);
  });

  it('imports many, says of each what became of it, and does the same for the same import', async () => {
    const devices = [device('imp-1'), device('imp-2'), device('imp-2'), device('imp-3', { serial_number: 'DM-IMP-1' })];
    const statuses = async () => {
      const { json, status } = await call('POST', '/v1/devices', { devices });
      return [status, ...(json.results as { status: number }[]).map((result) => result.status)];
    };
    expect(await statuses()).toEqual([201, 201, 201, 200, 409]);
    expect(await statuses()).toEqual([200, 200, 200, 200, 409]);
  });

  it('imports the same at once from several sides', async () => {
    const devices = Array.from({ length: 50 }, (_, i) => device(`race-${i}`));
    const answers = await Promise.all(
      [devices, devices.toReversed(), devices].map((some) => call('POST', '/v1/devices', { devices: some })),
    );
    const all = answers.flatMap(({ json }) => json.results as { status: number }[]).map(({ status }) => status);
    expect(all.filter((status) => status === 201)).toHaveLength(50);
    expect(all.filter((status) => status === 200)).toHaveLength(100);
  });

  it('lists in pages, by state', async () => {
    const seen: unknown[] = [];
    let after = '';
    for (;;) {
      const { json } = await call('GET', `/v1/devices?limit=7&state=registered${after}`);
      seen.push(...json.items.map((item) => item.device_id));
      if (json.next === null) break;
      after = `&after=${String(json.next)}`;
    }
    expect(seen).toEqual([...new Set(seen)].sort());
    expect(seen).toContain('race-49');
    expect((await call('GET', '/v1/devices?state=active')).json.items).toEqual([]);
    for (const query of ['limit=0', 'limit=1001', 'state=gone', 'after=%21', 'other=1']) {
      expect(await call('GET', `/v1/devices?${query}`)).toMatchObject({
        status: 400,
        json: { code: 'request.invalid' },
      });
    }
  });

  it('changes one under If-Match, and tells with a version more', async () => {
    await call('POST', '/v1/devices', device('chg-one'));
    const shown = await call('GET', '/v1/devices/chg-one');
    expect(shown.headers.etag).toBe('"1"');
    const body = { grants: ['command:receive', 'command:critical'] };
    const changed = await call('PATCH', '/v1/devices/chg-one', body, { 'if-match': '"1"' });
    expect(changed.json).toMatchObject({ ...body, version: 2 });
    const late = await call('PATCH', '/v1/devices/chg-one', body, { 'if-match': '"1"' });
    expect(late).toMatchObject({ status: 412, json: { code: 'request.precondition_failed' } });
  });

  it('refuses what is not there, not valid, or not allowed', async () => {
    expect(await call('GET', '/v1/devices/nobody-here')).toMatchObject({
      status: 404,
      json: { code: 'provisioning.device_not_found' },
    });
    expect((await call('POST', '/v1/devices', device('x-1', { manufacturer: 'nobody' }))).status).toBe(404);
    for (const body of [
      device('UPPER'),
      device('ok-1', { extra: 1 }),
      { devices: [] },
      device('ok-1', { vin: 'SHORT' }),
    ]) {
      expect(await call('POST', '/v1/devices', body)).toMatchObject({ status: 400, json: { code: 'request.invalid' } });
    }
    const reader = await call('POST', '/v1/devices', device('x-2'), {}, 'device:read');
    expect(reader).toMatchObject({ status: 403, json: { code: 'auth.scope_insufficient' } });
    const nobody = await send(suite, `${suite.operatorUrl}/v1/devices`);
    expect(nobody.status).toBe(401);
    expect((await send(suite, `${suite.vehicleUrl}/v1/devices`)).status).toBe(404);
  });
});

describe('manufacturers', () => {
  it('registers, replaces and lists them', async () => {
    const [one, two] = await Promise.all([createTestFleet(), createTestFleet()]);
    const put = (ca: string) => call('PUT', '/v1/manufacturers/other-motors', { ca });
    expect((await put(one.factoryCa.certificatePem)).status).toBe(201);
    const replaced = await put(two.factoryCa.certificatePem);
    expect(replaced).toMatchObject({
      status: 200,
      json: { name: 'other-motors', authorities: [{ thumbprint: two.factoryCa.certificate.thumbprint }] },
    });
    const { json } = await call('GET', '/v1/manufacturers');
    expect(json.items.map((item) => item.name)).toEqual(['demo-motors', 'other-motors']);
    const taken = await call('PUT', '/v1/manufacturers/third-motors', { ca: suite.fleet.factoryCa.certificatePem });
    expect(taken).toMatchObject({ status: 409, json: { code: 'provisioning.manufacturer_conflict' } });
    const fleetCa = await call('PUT', '/v1/manufacturers/third-motors', { ca: suite.fleet.vehicleCa.certificatePem });
    expect(fleetCa).toMatchObject({ status: 400, json: { code: 'provisioning.manufacturer_invalid' } });
  });

  it('are changed and removed by nobody who has not seen them as they are', async () => {
    const [one, two] = await Promise.all([createTestFleet(), createTestFleet()]);
    const path = '/v1/manufacturers/seen-motors';
    const put = (ca: string, ifMatch: string) => call('PUT', path, { ca }, { 'if-match': ifMatch });
    const failed = { status: 412, json: { code: 'request.precondition_failed' } };
    expect(await put(one.factoryCa.certificatePem, '*')).toMatchObject(failed);
    const made = await call('PUT', path, { ca: one.factoryCa.certificatePem });
    const { headers, json } = await call('GET', path);
    expect({ tag: headers.etag, json }).toEqual({ tag: made.headers.etag, json: made.json });
    const changed = await put(two.factoryCa.certificatePem, `${headers.etag}`);
    expect(changed).toMatchObject({ status: 200, headers: { etag: expect.not.stringMatching(`${headers.etag}`) } });
    expect(await put(one.factoryCa.certificatePem, `${headers.etag}`)).toMatchObject(failed);
    expect(await call('DELETE', path, undefined, { 'if-match': `${headers.etag}` })).toMatchObject(failed);
    const removed = await send(suite, `${suite.operatorUrl}${path}`, {
      method: 'DELETE',
      headers: {
        authorization: `Bearer ${suite.operatorToken('device:write')}`,
        'if-match': `${changed.headers.etag}`,
      },
    });
    expect(removed.status).toBe(204);
    expect(await call('GET', path)).toMatchObject({
      status: 404,
      json: { code: 'provisioning.manufacturer_not_found' },
    });
  });

  it('knows a device by the manufacturer that vouches and its serial number together', async () => {
    const other = await createTestFleet();
    await call('PUT', '/v1/manufacturers/twin-motors', { ca: other.factoryCa.certificatePem });
    await call('POST', '/v1/devices', device('twin-one'));
    // The other manufacturer gives a certificate the same serial number: it is not that device.
    const forged = await issueFactoryDevice(other, 'twin-one');
    const answer = await est(suite, 'simpleenroll', forged, request('twin-one', newKeys()));
    expect(answer.body).toMatch(/^est\.device_unknown: /);
  });
});
