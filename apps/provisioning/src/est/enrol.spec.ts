import { describe, expect, test } from '@jest/globals';
import type { DeviceState } from '@outrider/contracts';
import type { HeldCertificate } from '../certificate/certificate.js';
import { held, hours, NOW, named } from './decisions.fixture.js';
import { decideEnrol } from './enrol.js';

const NEW_KEY = { keyThumbprint: 'a new key', keySpent: false };
const SIGN = { kind: 'sign' };
const refusal = (code: string) => ({ kind: 'refuse', code, finding: true });

describe('a factory certificate asks for a fleet certificate', () => {
  test.each<[string, DeviceState, HeldCertificate[], { keyThumbprint: string; keySpent: boolean }, object]>([
    ['the first time', 'registered', [], NEW_KEY, SIGN],
    ['after the last one lapsed', 'active', [held('L', { notAfter: hours(-1) })], NEW_KEY, SIGN],
    ['at the instant it lapses', 'active', [held('L', { notAfter: NOW })], NEW_KEY, SIGN],
    ['while one is in use', 'active', [held('L')], NEW_KEY, refusal('est.certificate_refused')],
    [
      'while one is in use and its successor is not',
      'active',
      [held('P', { status: 'pending', createdAt: hours(0) }), held('L')],
      { keyThumbprint: 'key of P', keySpent: false },
      refusal('est.certificate_refused'),
    ],
    [
      'the answer was lost: the same key gets the same certificate',
      'active',
      [held('P', { status: 'pending' })],
      { keyThumbprint: 'key of P', keySpent: false },
      { kind: 'again', thumbprint: named('P') },
    ],
    ['the answer was lost: another key gets another', 'active', [held('P', { status: 'pending' })], NEW_KEY, SIGN],
    [
      'an unused one that lapsed is not handed out again',
      'active',
      [held('P', { status: 'pending', notAfter: hours(-1) })],
      { keyThumbprint: 'key of P', keySpent: false },
      SIGN,
    ],
    ['after a revocation', 'active', [held('R', { status: 'revoked' })], NEW_KEY, refusal('est.certificate_refused')],
    [
      'long after a revocation',
      'active',
      [held('R', { status: 'revoked', notAfter: hours(-900) })],
      NEW_KEY,
      refusal('est.certificate_refused'),
    ],
    ['blocked', 'quarantined', [], NEW_KEY, refusal('est.device_state_refused')],
    ['compromised', 'awaiting_recovery', [], NEW_KEY, refusal('est.device_state_refused')],
    ['retired', 'retired', [], NEW_KEY, refusal('est.device_state_refused')],
    ['a spent key', 'registered', [], { keyThumbprint: 'k', keySpent: true }, refusal('est.csr_key_refused')],
  ])('%s', (_what, state, certificates, request, expected) => {
    expect(decideEnrol(state, certificates, request, NOW)).toMatchObject(expected);
  });
});
