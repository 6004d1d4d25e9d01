import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { readAnswer, readWindows } from './answer.js';
import { telemetryBody, telemetryPayload } from './message.js';
import { continuation } from './position.js';
import { runs, settle } from './settle.js';
import { afterVerdict, UNKNOWN_KID_ATTEMPTS } from './verdict.js';

describe('after the verdict', () => {
  test.each([
    ['accepted', 1, 'sent', false],
    ['duplicate', 1, 'sent', false],
    ['skewed', 1, 'held', false],
    ['too_old', 1, 'held', false],
    ['stale_epoch', 1, 'held', false],
    ['jump', 1, 'held', true],
    ['unknown_kid', 1, 'queued', false],
    ['unknown_kid', UNKNOWN_KID_ATTEMPTS - 1, 'queued', false],
    ['unknown_kid', UNKNOWN_KID_ATTEMPTS, 'held', true],
    ['epoch_refused', 99, 'queued', true],
    ['replayed', 1, 'refused', true],
    ['bad_signature', 1, 'refused', true],
    ['wrong_device', 1, 'refused', true],
    ['failed', 99, 'queued', false],
    ['something new', 1, 'held', true],
  ])('%s on attempt %i a record is %s', (verdict, attempts, state, loud) => {
    expect(afterVerdict(verdict, attempts)).toEqual({ state, loud });
  });

  it('is never that the record is dropped', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), (verdict, attempts) => {
        expect(['queued', 'sent', 'held', 'refused']).toContain(afterVerdict(verdict, attempts).state);
      }),
    );
  });
});

describe('the answer', () => {
  const two = {
    results: [
      { seq: 5, verdict: 'accepted' },
      { seq: 6, verdict: 'duplicate' },
    ],
    windows: [],
    accepted: 1,
  };

  it('gives a verdict for each record that was sent', () => {
    expect(readAnswer(200, JSON.stringify(two), undefined, [5, 6])).toMatchObject({
      kind: 'verdicts',
      results: two.results,
    });
  });

  it('may name no number where a record could not be read', () => {
    const results = [
      { seq: 5, verdict: 'accepted' },
      { seq: null, verdict: 'invalid', code: 'telemetry.invalid' },
    ];
    expect(readAnswer(200, JSON.stringify({ results }), undefined, [5, 6])).toMatchObject({
      kind: 'verdicts',
      results,
    });
  });

  test.each([
    ['covers other records', [5, 7]],
    ['covers fewer', [5, 6, 7]],
    ['covers more', [5]],
    ['has them in another order', [6, 5]],
  ])('that %s is no answer: the same is sent again later', (_name, seqs) => {
    expect(readAnswer(200, JSON.stringify(two), undefined, seqs).kind).toBe('later');
  });

  test.each([
    [409, { code: 'telemetry.replayed' }, 'replayed'],
    [422, { code: 'telemetry.skewed' }, 'skewed'],
    [403, { code: 'telemetry.wrong_device' }, 'wrong_device'],
    [409, { code: 'telemetry.epoch_refused' }, 'epoch_refused'],
    [409, { code: 'telemetry.too_old', results: [{ seq: 5, verdict: 'too_old' }] }, 'too_old'],
  ])('%i with %j is a verdict on the one record', (status, body, verdict) => {
    expect(readAnswer(status, JSON.stringify(body), undefined, [5])).toMatchObject({ results: [{ seq: 5, verdict }] });
  });

  test.each([
    [401, { code: 'auth.token_expired' }, { kind: 'token', code: 'auth.token_expired' }],
    // It has renewed meanwhile: the token is of the certificate before (docs/protocols/token.md).
    [401, { code: 'auth.token_superseded' }, { kind: 'token', code: 'auth.token_superseded' }],
    [403, { code: 'denylist.device' }, { kind: 'denied', code: 'denylist.device' }],
    [403, { code: 'telemetry.wrong_device' }, { kind: 'denied', code: 'telemetry.wrong_device' }],
    [400, { code: 'request.malformed' }, { kind: 'unreadable', code: 'request.malformed' }],
    [413, {}, { kind: 'unreadable', code: 'http.413' }],
    [429, { code: 'request.too_many' }, { kind: 'later', code: 'request.too_many', retryAfterSeconds: 7 }],
    [503, 'not JSON', { kind: 'later', code: 'http.503', retryAfterSeconds: 7 }],
    [200, [], { kind: 'later', code: 'http.200', retryAfterSeconds: 7 }],
  ])('%i with %j to two records: %j', (status, body, expected) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    expect(readAnswer(status, text, 7, [5, 6])).toEqual(expected);
  });

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(fc.nat({ max: 600 }), fc.oneof(fc.string(), fc.json()), (status, body) => {
        expect(readAnswer(status, body, undefined, [1]).kind).toEqual(expect.any(String));
        readWindows(status, body);
      }),
    );
  });
});

describe('the stream goes on', () => {
  const at = (epoch: number, nextSeq: number) => ({ epoch, nextSeq });
  const window = (epoch: number, highest: number, minEpoch = 0) => ({ stream: 'main', epoch, highest, minEpoch });

  test.each([
    ['where the platform knows nothing yet', at(0, 1), undefined, { kind: 'go_on' }],
    ['where the platform has less than was given out', at(0, 50), window(0, 20), { kind: 'go_on' }],
    ['where the platform has all', at(0, 50), window(0, 49), { kind: 'go_on' }],
    [
      'in the next epoch when the platform has more: the state was lost',
      at(0, 1),
      window(0, 49),
      { kind: 'raise', epoch: 1, why: 'state_lost' },
    ],
    [
      'in the next epoch when the platform has the very next number',
      at(0, 50),
      window(0, 50),
      { kind: 'raise', epoch: 1, why: 'state_lost' },
    ],
    ['above an epoch that it never heard of', at(0, 50), window(3, 2), { kind: 'raise', epoch: 4, why: 'state_lost' }],
    [
      'in the epoch the platform asks for',
      at(0, 50),
      window(0, 20, 2),
      { kind: 'raise', epoch: 2, why: 'platform_asks' },
    ],
    [
      'in an epoch that the platform has only opened',
      at(0, 50),
      window(2, 0, 2),
      { kind: 'raise', epoch: 2, why: 'platform_asks' },
    ],
    ['in its own epoch when that is higher than asked', at(3, 50), window(0, 20, 2), { kind: 'go_on' }],
    ['in its own epoch that the platform has not seen', at(3, 1), window(2, 900), { kind: 'go_on' }],
    [
      'at the higher of what the platform has and asks for',
      at(0, 1),
      window(1, 5, 7),
      { kind: 'raise', epoch: 7, why: 'platform_asks' },
    ],
  ])('%s', (_name, own, platform, expected) => {
    expect(continuation(own, platform)).toEqual(expected);
  });
});

describe('settling a batch', () => {
  const records = [1, 2, 3, 4].map((seq) => ({ epoch: 0, seq, attempts: 0 }));

  it('reports neighbours with one fate as one run', () => {
    const verdicts = ['skewed', 'skewed', 'accepted', 'replayed'];
    const settled = settle(
      records,
      records.map(({ seq }, index) => ({ seq, verdict: verdicts[index] as string })),
    );
    expect(settled.map(({ state }) => state)).toEqual(['held', 'held', 'sent', 'refused']);
    expect(runs(settled).map(({ first, upTo, count }) => [first.verdict, first.seq, upTo, count])).toEqual([
      ['skewed', 1, 2, 2],
      ['accepted', 3, 3, 1],
      ['replayed', 4, 4, 1],
    ]);
  });
});

describe('a message', () => {
  it('is the canonical payload as it was signed; epoch 0 goes unsaid', () => {
    const payload = telemetryPayload('device-1', { epoch: 0, nextSeq: 7 }, 1_700_000_000, { speed: 42, lat: 37.42 });
    expect(payload).toBe('{"device_id":"device-1","seq":7,"telemetry":{"lat":37.42,"speed":42},"ts":1700000000}');
    expect(telemetryPayload('device-1', { epoch: 2, nextSeq: 7 }, 1, {})).toContain('"epoch":2');
  });

  it('carries a kid only where another certificate signed, and is an array only when there are several', () => {
    const record = { payload: '{"a":1}', signature: 'sig', thumbprint: 'mine' };
    expect(telemetryBody([record], 'mine')).toBe('{"payload":{"a":1},"signature":"sig"}');
    const body = telemetryBody([record, { ...record, thumbprint: 'older' }], 'mine');
    expect(JSON.parse(body)).toEqual([
      { payload: { a: 1 }, signature: 'sig' },
      { payload: { a: 1 }, signature: 'sig', kid: 'older' },
    ]);
  });
});
