import { describe, expect, it, test } from '@jest/globals';
import { askAgainMs, certificateId, readAdvice } from './renewal-info.js';

describe('the identifier of a certificate', () => {
  it('is that of RFC 9773, appendix A', () => {
    expect(certificateId('69885b6b87464041e1b37b847ba0ae2cde01c8d4', '87654321')).toBe(
      'aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE',
    );
  });
  it('has no sign byte where none is needed', () => expect(certificateId('00ff', '7f01')).toBe('AP8.fwE'));
});

const at = (start: unknown, end: unknown) => JSON.stringify({ suggestedWindow: { start, end } });

describe('an answer', () => {
  it('is read whatever else it holds, in any form of RFC 3339', () => {
    const body = JSON.stringify({
      suggestedWindow: { start: '2025-01-02T04:00:00Z', end: '2025-01-02t06:00:00.5+01:00' },
      x: 1,
    });
    expect(readAdvice(200, body)).toEqual({
      kind: 'window',
      window: { start: Date.UTC(2025, 0, 2, 4), end: Date.UTC(2025, 0, 2, 5, 0, 0, 500) },
    });
  });
  test.each([
    ['not there', 404, ''],
    ['refused', 403, at('2025-01-02T04:00:00Z', '2025-01-03T04:00:00Z')],
    ['no JSON', 200, '<html>'],
    ['null', 200, 'null'],
    ['without a window', 200, '{}'],
    ['with half a window', 200, at('2025-01-02T04:00:00Z', undefined)],
    ['with numbers', 200, at(1, 2)],
    ['with words', 200, at('tomorrow', '2025-01-03T04:00:00Z')],
    ['that ends as it begins', 200, at('2025-01-03T04:00:00Z', '2025-01-03T04:00:00Z')],
    ['that ends before it begins', 200, at('2025-01-03T04:00:00Z', '2025-01-02T04:00:00Z')],
  ])('%s is none', (_name, status, body) => expect(readAdvice(status, body).kind).toBe('none'));
  test.each([429, 500, 503])('of %d says nothing about the window before', (status) => {
    expect(readAdvice(status, '').kind).toBe('unknown');
  });
});

describe('the next question', () => {
  const window = readAdvice(200, at('2025-01-02T04:00:00Z', '2025-01-03T04:00:00Z'));
  const none = readAdvice(404, '');
  const unknown = readAdvice(503, '');
  test.each([
    ['comes when the platform says', window, 60, 0, 60_000],
    ['within a second', window, 0, 0, 1000],
    ['and a day', window, 1e6, 0, 86_400_000],
    ['without a word of it, in an hour', window, undefined, 0, 3_600_000],
    ['of one that has none, in an hour', none, 5, 0, 3_600_000],
    ['after a fault, soon', unknown, undefined, 1, 2500],
    ['after many, less often', unknown, undefined, 30, 150_000],
    ['but no sooner than it asks', unknown, 600, 1, 600_000],
  ])('%s', (_name, advice, retryAfter, failures, expected) => {
    expect(askAgainMs(advice, retryAfter, failures, 0)).toBe(expected);
  });
});
