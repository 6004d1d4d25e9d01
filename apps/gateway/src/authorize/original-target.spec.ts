import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { hasTokenInQuery, MAX_TARGET_LENGTH, originalTarget } from './original-target.js';

describe('the path of a request', () => {
  it.each([
    ['/', []],
    ['/v1/trips', ['v1', 'trips']],
    ['/v1/trips?x=1/../2', ['v1', 'trips']],
    ['/v1/%74rips', ['v1', 'trips']],
    ['/v1/caf%C3%A9', ['v1', 'café']],
    ['/a..b/c', ['a..b', 'c']],
  ])('%s', (raw, segments) => {
    expect(originalTarget(raw)).toMatchObject({ ok: true, target: { segments } });
  });

  it.each([
    ['', 'nothing'],
    ['*', 'the asterisk form'],
    ['http://api/v1', 'the absolute form'],
    ['v1/trips', 'no slash'],
    ['//v1/trips', 'an empty segment'],
    ['/v1//trips', 'an empty segment'],
    ['/v1/trips/', 'an empty last segment'],
    ['/v1/./trips', 'a dot'],
    ['/v1/../admin', 'dots'],
    ['/v1/%2e%2e/admin', 'encoded dots'],
    ['/v1/%2E./admin', 'half encoded dots'],
    ['/v1/%2fadmin', 'an encoded slash'],
    ['/v1/..%5cadmin', 'an encoded backslash'],
    ['/v1/..\\admin', 'a backslash'],
    ['/v1/%252e%252e/admin', 'twice encoded dots'],
    ['/v1/admin;x=1/y', 'a parameter of a segment'],
    ['/v1/admin%3bx/y', 'an encoded semicolon'],
    ['/v1/trips%00.json', 'a zero byte'],
    ['/v1/trips%0d%0a', 'line ends'],
    ['/v1/trips#admin', 'a fragment'],
    ['/v1/%zz', 'what does not decode'],
    ['/v1/%c0%ae', 'overlong UTF-8'],
    ['/v1/%ff', 'no UTF-8'],
    ['/v1/caf\u00e9', 'what is not ASCII'],
    ['/v1/a b', 'a space'],
    [`/${'a'.repeat(MAX_TARGET_LENGTH)}`, 'too much'],
  ])('%s is refused: %s', (raw) => {
    expect(originalTarget(raw).ok).toBe(false);
  });

  it('is never one that a URL parser reads otherwise', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^\/[a-zA-Z%2.;\\/?#&=-]{0,40}$/), (raw) => {
        const read = originalTarget(raw);
        if (!read.ok) return;
        const { pathname } = new URL(`https://api.example.com${raw}`);
        expect(decodeURIComponent(pathname)).toBe(`/${read.target.segments.join('/')}`);
      }),
    );
  });
});

describe('a token in the query', () => {
  it.each([
    'access_token=x',
    'a=1&access_token=x',
    'a=1;access_token=x',
    'access%5Ftoken=x',
    'ACCESS_TOKEN=x',
    'access_token[]=x',
  ])('%s is seen', (query) => expect(hasTokenInQuery(query)).toBe(true));
  it.each(['', 'a=access_token', 'access_tokens=1', 'x_access_token=1', '%'])('%s is none', (query) =>
    expect(hasTokenInQuery(query)).toBe(false),
  );
});
