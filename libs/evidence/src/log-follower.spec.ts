import { beforeAll, describe, expect, it, test } from '@jest/globals';
import { canonicalize, encodeCbor } from '@outrider/canonicalization';
import {
  COSE_EXTERNAL_AAD,
  JCS_TYP,
  sha256Hex,
  sign,
  signCoseSign1,
  type VerificationKey,
  verificationKey,
} from '@outrider/crypto';
import { DeviceId } from '@outrider/ids';
import { createTestFleet, issueVehicle, type Party } from '@outrider/testing';
import { type EvidenceSegment, LogFollower, type LogRecord } from './index.js';

const device = DeviceId.parse('device-1');
const order = '00000000-0000-4000-8000-000000000001';
let car: Party;
let key: VerificationKey;

beforeAll(async () => {
  car = await issueVehicle(await createTestFleet(), device);
  key = verificationKey(car.certificate.spkiDer);
});

const signed = (value: object) => sign(car.privateKey, Buffer.from(canonicalize(value))).toString('base64url');

interface Made extends EvidenceSegment {
  readonly sha256: string;
  readonly records: readonly LogRecord[];
}

/** A segment of three records from `seq` on, its head JSON or COSE, after another. */
function seal(format: 'json' | 'cose', segment: number, seq: number, before?: Made, more: object = {}): Made {
  const records = [0, 1, 2].map((index): LogRecord => {
    const payload = canonicalize({ device_id: device, seq: seq + index, ts: 1000 + index, telemetry: { index } });
    const row = { deviceId: device, stream: 'main', epoch: 0, seq: seq + index, ts: 1000 + index, segment };
    return { ...row, payload: Buffer.from(payload), canonicalSha256: sha256Hex(payload) };
  });
  const digests = Buffer.from(records.map(({ canonicalSha256 }) => canonicalSha256).join(''), 'hex');
  const head = {
    ...{ typ: JCS_TYP.logSegment, device_id: device, log: 'log-1', segment, previous: before?.sha256 ?? null },
    ...{ stream: 'main', epoch: 0, seq, count: 3, records: sha256Hex(digests), ts: 2000 },
    ...more,
  };
  const cose = () =>
    signCoseSign1({ payload: encodeCbor(head), key: car.privateKey, externalAad: COSE_EXTERNAL_AAD.logSegment });
  return {
    ...{ segment, log: 'log-1', format, digests, records, sha256: sha256Hex(canonicalize(head)) },
    head: format === 'json' ? Buffer.from(JSON.stringify(head)) : cose(),
    signature: format === 'json' ? signed(head) : null,
  };
}

function deliver(segments: readonly Made[], more: object = {}) {
  const [first, last] = [segments[0]!.segment, segments.at(-1)!.segment];
  const said = { typ: JCS_TYP.logDelivery, device_id: device, order, nonce: 'n', log: 'log-1', first, last };
  const delivery = { ...said, head: segments.at(-1)!.sha256, ...more };
  return { orderId: order, log: 'log-1', bytes: Buffer.from(canonicalize(delivery)), signature: signed(delivery) };
}

/** What is said of delivery, segments, records and end, where it is not good. */
function faults(delivery: ReturnType<typeof deliver>, segments: readonly Made[], of = order): unknown[] {
  const follower = new LogFollower(device, of);
  const said: unknown[] = [follower.deliver(delivery, key)];
  for (const segment of segments) {
    said.push(follower.segment(segment, () => key));
    for (const record of segment.records) {
      const verdict = follower.record(record);
      said.push(verdict.ok ? undefined : verdict.fault);
    }
  }
  return [...said, follower.end()].filter(Boolean);
}

describe.each([
  ['json', 'json'],
  ['cose', 'cose'],
  ['json', 'cose'],
] as const)('a chain of %s and %s', (one, other) => {
  const chain = () => {
    const first = seal(one, 4, 11);
    return [first, seal(other, 5, 14, first)];
  };

  it('stands, from the delivery to each record', () => {
    const segments = chain();
    expect(faults(deliver(segments), segments)).toEqual([]);
  });

  it('does not with a segment of another log, device or number, of another order, or with a head that is none', () => {
    const [first, second] = chain() as [Made, Made];
    const lost = Array<string>(3).fill('segment_invalid');
    const chained = ['chain_broken'];
    for (const more of [{ log: 'log-2' }, { device_id: 'device-2' }, { segment: 9 }]) {
      const foreign = seal(other, 5, 14, first, more);
      expect(faults(deliver([first, second]), [first, foreign])).toEqual(['row_mismatch', ...lost, ...chained]);
    }
    expect(faults(deliver([first, second]), [first, second], 'another order')).toEqual(['row_mismatch']);
    const none = { ...second, head: Buffer.from('{}') };
    expect(faults(deliver([first, second]), [first, none])).toEqual(['unreadable', ...lost, ...chained]);
  });

  it('does not where it forks, begins late or ends early', () => {
    const [first, second] = chain() as [Made, Made];
    expect(faults(deliver([first, second]), [first, seal(other, 5, 14, second)])).toEqual([
      'chain_broken',
      'chain_broken',
    ]);
    expect(faults(deliver([first, second]), [second])).toEqual(['chain_broken']);
    expect(faults(deliver([first, second]), [first])).toEqual(['chain_broken']);
    expect(faults(deliver([first, second]), [])).toEqual(['chain_broken']);
  });
});

test.each<[string, Partial<LogRecord>, string]>([
  ['another stream', { stream: 'can' }, 'row_mismatch'],
  ['another epoch', { epoch: 1 }, 'row_mismatch'],
  ['a number before the segment', { seq: 10 }, 'digest_mismatch'],
  ["another number's place", { seq: 12 }, 'digest_mismatch'],
  ['another time', { ts: 999 }, 'row_mismatch'],
  ['another device', { deviceId: 'device-2' }, 'row_mismatch'],
  ['another segment', { segment: 5 }, 'segment_missing'],
  ['other bytes', { payload: Buffer.from('{') }, 'unreadable'],
  ['no message', { payload: Buffer.from('{}') }, 'unreadable'],
  ['another digest', { canonicalSha256: '0'.repeat(64) }, 'digest_mismatch'],
])('a record of %s does not stand', (_what, more, fault) => {
  const segment = seal('json', 4, 11);
  const changed = { ...segment, records: [{ ...segment.records[0]!, ...more }] };
  expect(faults(deliver([segment]), [changed])).toEqual([fault]);
});

it('a certificate that is missing, or was not valid then, is said as that', () => {
  const segment = seal('json', 4, 11);
  for (const why of ['certificate_missing', 'certificate_invalid'] as const) {
    const follower = new LogFollower(device, order);
    expect(follower.deliver(deliver([segment]), why)).toBe(why);
    const asked: Date[] = [];
    const keyAt = (at: Date) => {
      asked.push(at);
      return why;
    };
    expect(follower.segment(segment, keyAt)).toBe(why);
    expect(asked).toEqual([new Date(2_000_000)]);
  }
});
