import { describe, expect, it, test } from '@jest/globals';
import { JWS_TYP, signJws } from '@outrider/crypto';
import {
  batchPayload,
  flattened,
  JOSE,
  JOSE_JSON,
  jwsMessage,
  key,
  NOW,
  other,
  payload,
  record,
  thumbprint,
  verdicts,
} from './formats.fixture.js';

const compact = jwsMessage(key, payload());

describe('JWS', () => {
  const text = JSON.stringify(payload());
  const withTyp = (typ: string) => signJws({ header: { typ: typ as 'at+jwt' }, payload: text, key });
  const parts = flattened(compact);

  test.each<[string, string, string]>([
    ['of another context', withTyp(JWS_TYP.outcome), 'telemetry.bad_signature'],
    ['of another spelling of its context', withTyp('application/outrider-telemetry+jws'), 'telemetry.bad_signature'],
    ['by another key', jwsMessage(other, payload()), 'telemetry.bad_signature'],
    [
      'with a header that is not allowed',
      jwsMessage(key, payload(), { crit: ['b64'], b64: false }),
      'telemetry.bad_signature',
    ],
    ['with a key inside', jwsMessage(key, payload(), { jwk: {} }), 'telemetry.bad_signature'],
    ['with a kid that is none', jwsMessage(key, payload(), { kid: 'key-1' }), 'telemetry.invalid'],
    [
      'with two kids',
      jwsMessage(key, payload(), { kid: thumbprint, 'x5t#S256': `${'B'.repeat(42)}A` }),
      'telemetry.invalid',
    ],
    ['of a batch', jwsMessage(key, batchPayload('device-1', 7, NOW, 2)), 'telemetry.invalid'],
    ['of a member twice', jwsMessage(key, text.replace('"seq":7', '"seq":7,"seq":8')), 'request.malformed'],
    ['of a list', jwsMessage(key, '[]'), 'telemetry.invalid'],
    ['of nothing', jwsMessage(key, ''), 'request.malformed'],
    ['from long ago', jwsMessage(key, payload({ ts: NOW - 121 })), 'telemetry.skewed'],
    ['without a signature', compact.slice(0, compact.lastIndexOf('.') + 1), 'telemetry.bad_signature'],
    ['with a detached payload', compact.replace(/\..*\./, '..'), 'request.malformed'],
    ['of four parts', `${compact}.AAAA`, 'request.malformed'],
    ['that is no JWS', 'hello', 'request.malformed'],
  ])('%s: its code', (_name, body, code) => {
    expect(verdicts(body, JOSE)).toBe(code);
  });

  it('signs its payload in any spelling', () => {
    const spelled = JSON.stringify(payload({ telemetry: { b: 1, a: 2 } }), null, 2);
    expect(record(jwsMessage(key, spelled), JOSE).text()).toBe(spelled);
  });

  test.each<[string, object, string]>([
    ['kid in the unprotected header', flattened(compact, { kid: thumbprint }), 'verified'],
    ['alg in the unprotected header', flattened(compact, { alg: 'EdDSA' }), 'request.malformed'],
    ['a header that is no object', { ...parts, header: 'x' }, 'telemetry.invalid'],
    ['a member more', { ...parts, kid: thumbprint }, 'telemetry.invalid'],
    ['no protected header', { payload: parts.payload, signature: parts.signature }, 'telemetry.invalid'],
    ['the general form', { payload: parts.payload, signatures: [parts] }, 'telemetry.invalid'],
  ])('flattened, %s: its code', (_name, body, code) => {
    expect(verdicts(JSON.stringify(body), JOSE_JSON)).toBe(code);
  });
});
