import { describe, expect, it, test } from '@jest/globals';
import { DomainError } from '@outrider/errors';
import fc from 'fast-check';
import { MAX_FORM_BYTES, parseTokenForm, requireClientCredentials } from './token-form.js';

const FORM = { mediaType: 'application/x-www-form-urlencoded', hasAuthorization: false };
const parse = (text: string | Uint8Array, envelope = FORM) => parseTokenForm(Buffer.from(text), envelope);

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
  return 'accepted';
}

describe('a token request is a form', () => {
  it('reads what any client encodes', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ minLength: 1, unit: 'binary' }), fc.string({ minLength: 1, unit: 'binary' }), {
          maxKeys: 8,
        }),
        (pairs) => {
          fc.pre(!Object.hasOwn(pairs, 'client_secret'));
          const body = new URLSearchParams(pairs).toString();
          fc.pre(body.length <= MAX_FORM_BYTES);
          expect(Object.fromEntries(parse(body))).toEqual({ ...pairs });
        },
      ),
    );
  });

  it('never throws anything but a coded refusal', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => typeof codeOf(() => parse(bytes)) === 'string'),
    );
  });

  it('treats a parameter without value as not sent', () => {
    expect([...parse('scope=&client_id=a').keys()]).toEqual(['client_id']);
  });

  it('keeps unknown parameters for nobody to read', () => {
    expect(parse('grant_type=client_credentials&x=1').get('x')).toBe('1');
  });

  test.each<[string, string, Partial<typeof FORM>, string]>([
    ['another content type', '{}', { mediaType: 'application/json' }, 'request.unsupported_media_type'],
    ['no content type', 'a=b', { mediaType: '' }, 'request.unsupported_media_type'],
    ['a second authentication method', 'a=b', { hasAuthorization: true }, 'token.invalid_request'],
    ['a client secret', 'client_secret=x', {}, 'token.invalid_request'],
    ['a duplicate', 'scope=a&scope=a', {}, 'token.invalid_request'],
    ['a duplicate under another spelling', 'scope=a&%73cope=', {}, 'token.invalid_request'],
    ['33 parameters', Array.from({ length: 33 }, (_, i) => `p${i}=1`).join('&'), {}, 'token.invalid_request'],
    ['8193 bytes', `a=${'x'.repeat(MAX_FORM_BYTES - 1)}`, {}, 'token.invalid_request'],
    ['a broken percent sign', 'a=%zz', {}, 'token.invalid_request'],
    ['what is not UTF-8', 'a=%ff', {}, 'token.invalid_request'],
    ['raw control characters', 'a=b\r\nc', {}, 'token.invalid_request'],
  ])('refuses %s', (_name, body, envelope, code) => {
    expect(codeOf(() => parse(body, { ...FORM, ...envelope }))).toBe(code);
  });

  it('takes exactly as much as it says', () => {
    expect(codeOf(() => parse(`a=${'x'.repeat(MAX_FORM_BYTES - 2)}`))).toBe('accepted');
    expect(codeOf(() => parse(Array.from({ length: 32 }, (_, i) => `p${i}=1`).join('&')))).toBe('accepted');
  });
});

test.each([
  ['grant_type=client_credentials', 'accepted'],
  ['grant_type=authorization_code', 'token.unsupported_grant_type'],
  ['grant_type=refresh_token&refresh_token=x', 'token.unsupported_grant_type'],
  ['client_id=a', 'token.invalid_request'],
])('%s -> %s', (body, code) => {
  expect(codeOf(() => requireClientCredentials(parse(body)))).toBe(code);
});
