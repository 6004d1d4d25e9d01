import { describe, expect, it, test } from '@jest/globals';
import { DomainError, type ErrorCode } from '@outrider/errors';
import { answerTo } from './answer.js';

const refused = (code: ErrorCode, seq: number | null = 7) => ({
  seq,
  refused: new DomainError(code, { detail: 'why' }),
});
const windows = [{ stream: 'main', epoch: 0, highest: 9, missing: [], minEpoch: 0 }];

describe('answerTo', () => {
  it.each(['accepted', 'duplicate'] as const)('one message %s is 200', (verdict) => {
    expect(answerTo(true, [{ seq: 7, verdict }], windows)).toEqual({
      results: [{ seq: 7, verdict }],
      windows,
      accepted: verdict === 'accepted' ? 1 : 0,
    });
  });

  test.each([
    ['telemetry.invalid', 400, 'invalid'],
    ['telemetry.wrong_device', 403, 'wrong_device'],
    ['telemetry.replayed', 409, 'replayed'],
    ['telemetry.too_old', 409, 'too_old'],
    ['telemetry.stale_epoch', 409, 'stale_epoch'],
    ['telemetry.epoch_refused', 409, 'epoch_refused'],
    ['telemetry.bad_signature', 422, 'bad_signature'],
    ['telemetry.skewed', 422, 'skewed'],
    ['telemetry.jump', 422, 'jump'],
    ['telemetry.unknown_kid', 422, 'unknown_kid'],
    ['service.internal', 500, 'failed'],
  ] as const)('one message refused as %s is %d', (code, status, verdict) => {
    let thrown: unknown;
    try {
      answerTo(true, [refused(code)], windows);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({
      code,
      status,
      detail: 'why',
      members: { results: [{ seq: 7, verdict, code }], windows, accepted: 0 },
    });
  });

  it('several are 200, a result each', () => {
    expect(
      answerTo(
        false,
        [{ seq: 1, verdict: 'accepted' }, refused('telemetry.jump'), refused('request.malformed', null)],
        windows,
      ),
    ).toEqual({
      results: [
        { seq: 1, verdict: 'accepted' },
        { seq: 7, verdict: 'jump', code: 'telemetry.jump' },
        { seq: null, verdict: 'invalid', code: 'request.malformed' },
      ],
      windows,
      accepted: 1,
    });
  });

  it('an array of one is several', () => {
    expect(answerTo(false, [refused('telemetry.replayed')], []).results).toHaveLength(1);
  });
});
