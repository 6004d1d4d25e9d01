import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals';
import { ExportVerifier } from '@outrider/evidence';
import { LogGround, now } from '../offline-log/log-ground.fixture.js';
import { headOnly, type TestLog } from '../offline-log/offline-log.fixture.js';
import { TestOperator } from '../reading/operator.fixture.js';
import { type TestVehicle, until } from '../telemetry.fixture.js';

let ground: LogGround;
let operator: TestOperator;

beforeAll(async () => {
  ground = await LogGround.start();
  operator = new TestOperator(ground.ground, ground.service);
}, 120_000);

afterAll(async () => {
  operator?.close();
  await ground?.stop();
});

/** One live message, and six records in two segments of a log that goes on with a head alone; provisioning knows the certificate. */
async function delivered(name: string): Promise<{ vehicle: TestVehicle; log: TestLog; order: string }> {
  const { vehicle, log } = await ground.car(name);
  const { der, thumbprint } = vehicle.party.certificate;
  const { deviceId } = vehicle;
  const certificate = Buffer.from(der).toString('base64');
  ground.ground.authority.certificates.set(thumbprint, { certificate, deviceId, status: 'live' });
  const asked = await ground.order(vehicle, [[11, 16]]);
  log.fill(11, 9, now() - 7200, 3, now());
  const [first, second, third] = log.segments;
  const segments = [first!, second!, headOnly(third!)];
  expect((await ground.upload(vehicle, asked, segments, log.delivery(asked))).status).toBe(200);
  const path = `/v1/devices/${deviceId}/telemetry`;
  await until(async () => JSON.parse((await operator.get(path)).text).items.length === 7, 20_000);
  return { vehicle, log, order: asked.id };
}

const verified = (name: string) => operator.lines(`/v1/devices/${name}/telemetry/verify`);

async function exported(name: string) {
  const { status, text } = await operator.get(`/v1/devices/${name}/telemetry/export`);
  expect(status).toBe(200);
  return { text, report: judge(text) };
}

function judge(text: string) {
  const verifier = new ExportVerifier([ground.ground.fleet.root.certificate]);
  for (const line of text.split('\n').slice(0, -1)) verifier.line(Buffer.from(line));
  return verifier.finish();
}

/** As somebody with the whole database in his hands would. */
async function tamper(statement: string): Promise<void> {
  const client = await ground.ground.database.admin();
  try {
    await client.query('SET session_replication_role = replica');
    expect((await client.query(statement)).rowCount).toBeGreaterThan(0);
  } finally {
    await client.end();
  }
}

describe('what an offline log brought', () => {
  it('is verified with the chain that brought it, beside the live messages', async () => {
    const { vehicle } = await delivered('log-verified');
    const events = await verified('log-verified');
    expect(events.at(-1)).toEqual({
      ...{ event: 'summary', ok: true, checked: 7, verified: 7, faulty: 0, faults: {} },
      formats: { json: 1, log: 6 },
      logs: { deliveries: 1, segments: 3, faulty: 0, unanchored: 0 },
      certificates: [vehicle.party.certificate.thumbprint],
    });
    expect(events.at(-2)).toMatchObject({ event: 'progress', checked: 7, total: 7 });
    expect(events.some(({ event }) => event === 'fault')).toBe(false);
  });

  it('is exported with all that proves it, and a change in any line of that shows', async () => {
    await delivered('log-exported');
    const { text, report } = await exported('log-exported');
    expect(report).toMatchObject({ ok: true, records: 7, verified: 7, segments: 3, unanchored: 0, certificates: 1 });
    const lines = text.split('\n');
    const types = lines.slice(0, -1).map((line) => JSON.parse(line).type);
    expect(types.slice(-12)).toEqual(
      'record delivery segment record record record segment record record record segment manifest'.split(' '),
    );
    for (const [index, line] of lines.entries()) {
      if (!/"type":"(?:delivery|segment|record)"/.test(line)) continue;
      const without = lines.filter((_, other) => other !== index).join('\n');
      expect(judge(without)).toMatchObject({ ok: false });
    }
    expect(judge(text.replaceAll('"speed\\":14', '"speed\\":15')).faults).toMatchObject([
      { seq: 14, fault: 'digest_mismatch' },
    ]);
  });

  it('is unanchored where a revoked key signed it and nothing fixes its time: both say so', async () => {
    await delivered('log-unanchored');
    for (const table of ['log_segments', 'log_records'])
      await tamper(`UPDATE ${table} SET standing = 'unanchored' WHERE device_id = 'log-unanchored'`);
    expect((await verified('log-unanchored')).at(-1)).toMatchObject({ ok: true, logs: { unanchored: 6 } });
    expect((await exported('log-unanchored')).report).toMatchObject({ ok: true, unanchored: 6 });
    await tamper(`UPDATE log_records SET standing = 'trusted' WHERE device_id = 'log-unanchored' AND seq = 11`);
    const fault = { seq: 11, fault: 'row_mismatch' };
    expect((await verified('log-unanchored'))[1]).toMatchObject(fault);
    expect((await exported('log-unanchored')).report.faults).toMatchObject([fault]);
  });

  const all = (segment: number, fault: string) =>
    [0, 1, 2].map((index) => [8 + 3 * segment + index, segment, fault] as const);

  test.each<[string, string, (readonly [seq: number | null, segment: number | null, fault: string])[]]>([
    [
      'a record changed',
      `UPDATE log_records SET payload = convert_to(replace(convert_from(payload, 'UTF8'), '"speed":11', '"speed":99'), 'UTF8') WHERE seq = 11`,
      [[11, 1, 'digest_mismatch']],
    ],
    [
      'a record and its digest changed',
      `UPDATE log_records SET payload = convert_to(replace(convert_from(payload, 'UTF8'), '"speed":11', '"speed":99'), 'UTF8'),
         canonical_sha256 = sha256('x') WHERE seq = 11`,
      [[11, 1, 'digest_mismatch']],
    ],
    ['a time changed', 'UPDATE log_records SET ts = ts - 1 WHERE seq = 12', [[12, 1, 'row_mismatch']]],
    ['a number changed', 'UPDATE log_records SET seq = 10 WHERE seq = 12', [[10, 1, 'digest_mismatch']]],
    ['a record of another segment', 'UPDATE log_records SET segment = 2 WHERE seq = 13', [[13, 2, 'digest_mismatch']]],
    ['a record of no log', `UPDATE log_records SET log = 'other' WHERE seq = 13`, [[13, 1, 'segment_missing']]],
    [
      'digests changed',
      `UPDATE log_segments SET digests = set_byte(digests, 0, 255 - get_byte(digests, 0)) WHERE segment = 2`,
      [[null, 2, 'digest_mismatch'], ...all(2, 'segment_invalid')],
    ],
    [
      'a head changed',
      `UPDATE log_segments SET head = convert_to(replace(convert_from(head, 'UTF8'), '"count":3', '"count":4'), 'UTF8') WHERE segment = 1`,
      [[null, 1, 'bad_signature'], ...all(1, 'segment_invalid'), [null, 2, 'chain_broken']],
    ],
    [
      'a segment gone',
      'DELETE FROM log_segments WHERE segment = 2',
      [...all(2, 'segment_missing'), [null, 3, 'chain_broken']],
    ],
    ['the last head gone', 'DELETE FROM log_segments WHERE segment = 3', [[null, null, 'chain_broken']]],
    [
      'the first segment gone',
      'DELETE FROM log_segments WHERE segment = 1',
      [...all(1, 'segment_missing'), [null, 2, 'chain_broken']],
    ],
    [
      'the delivery changed',
      `UPDATE fetch_order_ends SET delivery = convert_to(replace(convert_from(delivery, 'UTF8'), '"last":3', '"last":2'), 'UTF8')`,
      [[null, null, 'bad_signature']],
    ],
    [
      'the certificate another',
      `UPDATE log_segments SET thumbprint = repeat('x', 43) WHERE segment = 1`,
      [[null, 1, 'certificate_missing'], ...all(1, 'segment_invalid')],
    ],
  ])('with %s behind our back is named, by the service and in an export', async (what, statement, expected) => {
    const name = `tampered-${what.replaceAll(' ', '-')}`;
    await delivered(name);
    await tamper(`${statement}${statement.includes(' WHERE ') ? ' AND' : ' WHERE'} device_id = '${name}'`);
    const events = await verified(name);
    const faults = events.filter(({ event }) => event === 'fault');
    expect(faults.map(({ seq, log, fault }) => [seq, log.segment, fault])).toEqual(expected);
    const summary = events.at(-1);
    expect(summary).toMatchObject({ event: 'summary', ok: false });
    expect(summary.faulty + summary.logs.faulty).toBe(expected.length);
    const { report } = await exported(name);
    expect(report.manifestFault).toBeUndefined();
    expect(report.faults.map(({ fault }) => fault).sort()).toEqual(expected.map(([, , fault]) => fault).sort());
  });

  it('without the vehicle’s word for it does not stand, though each record does', async () => {
    await delivered('log-without-word');
    await tamper(`DELETE FROM fetch_order_ends WHERE device_id = 'log-without-word'`);
    expect((await verified('log-without-word')).at(-1)).toMatchObject({
      ...{ ok: false, verified: 7, faults: { delivery_missing: 1 } },
      logs: { faulty: 1 },
    });
    expect((await exported('log-without-word')).report).toMatchObject({
      ...{ ok: false, verified: 7 },
      faults: [{ fault: 'delivery_missing', segment: 1 }],
    });
  });
});

it('a device that has never sent anything has nothing to be verified or exported', async () => {
  for (const what of ['verify', 'export']) {
    const { status, text } = await operator.get(`/v1/devices/device-never-seen/telemetry/${what}`);
    expect({ status, code: JSON.parse(text).code }).toEqual({ status: 404, code: 'telemetry.unknown_device' });
  }
});
