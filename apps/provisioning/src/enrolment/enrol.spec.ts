import { describe, expect, it, test } from '@jest/globals';
import type { DeviceState } from '@outrider/contracts';
import type { HeldCertificate } from '../certificate/certificate.js';
import { labelPolicy } from '../label/label.fixture.js';
import { CERTIFICATES_AN_HOUR, type Circumstances } from './decision.js';
import { circumstances, DEVICE, held, hours, NOW, named } from './decisions.fixture.js';
import { decideEnrol } from './enrol.js';

const NEW_KEY = {};
const SIGN = { kind: 'sign' };
const refusal = (code: string) => ({ kind: 'refuse', code });

describe('a factory certificate asks for a fleet certificate', () => {
  test.each<[string, DeviceState, HeldCertificate[], Parameters<typeof circumstances>[2], object]>([
    ['the first time', 'registered', [], NEW_KEY, SIGN],
    ['after the last one lapsed', 'active', [held('L', { notAfter: hours(-1) })], NEW_KEY, SIGN],
    ['at the instant it lapses', 'active', [held('L', { notAfter: NOW })], NEW_KEY, SIGN],
    ['while one is in use', 'active', [held('L')], NEW_KEY, refusal('est.certificate_refused')],
    [
      'while one is in use and its successor is not',
      'active',
      [held('P', { status: 'pending', createdAt: hours(0) }), held('L')],
      { keyThumbprint: 'key of P' },
      refusal('est.certificate_refused'),
    ],
    [
      'the answer was lost: the same key gets the same certificate',
      'active',
      [held('P', { status: 'pending' })],
      { keyThumbprint: 'key of P' },
      { kind: 'again', thumbprint: named('P') },
    ],
    ['the answer was lost: another key gets another', 'active', [held('P', { status: 'pending' })], NEW_KEY, SIGN],
    [
      'an unused one that lapsed is not handed out again',
      'active',
      [held('P', { status: 'pending', notAfter: hours(-1) })],
      { keyThumbprint: 'key of P' },
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
    ['a key of another device', 'registered', [], { key: { holders: [DEVICE] } }, refusal('est.csr_key_refused')],
    ['a key that was revoked', 'registered', [], { key: { revoked: true } }, refusal('est.csr_key_refused')],
    [
      'the same key at another label gets another',
      'active',
      [held('P', { status: 'pending', label: 'other' })],
      { keyThumbprint: 'key of P' },
      SIGN,
    ],
  ])('%s', (_what, state, certificates, request, expected) => {
    expect(decideEnrol(circumstances(state, certificates, request))).toMatchObject(expected);
  });
});

describe('at a label that asks an operator', () => {
  test.each<[string, HeldCertificate[], Circumstances['approval'], object]>([
    [
      'it waits, and is filed',
      [],
      { kind: 'wait', retryAfterSeconds: 9, file: true },
      { kind: 'pending', retryAfterSeconds: 9, file: true },
    ],
    ['it is approved', [], { kind: 'approved', id: 'a' }, { kind: 'sign', approval: 'a' }],
    [
      'it is rejected',
      [],
      { kind: 'refuse', code: 'est.approval_rejected', detail: '' },
      refusal('est.approval_rejected'),
    ],
    [
      'the answer was lost: nobody is asked again',
      [held('P', { status: 'pending' })],
      { kind: 'wait', retryAfterSeconds: 9, file: true },
      { kind: 'again' },
    ],
    [
      'what no operator can allow is refused first',
      [held('L')],
      { kind: 'approved', id: 'a' },
      refusal('est.certificate_refused'),
    ],
  ])('%s', (_what, certificates, approval, expected) => {
    const asked = { keyThumbprint: 'key of P' };
    expect(decideEnrol(circumstances('active', certificates, asked, { approval }))).toMatchObject(expected);
  });
});

it('the certificates of one hour are so many and no more', () => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, at) => held(`M${at}`, { status: 'superseded', createdAt: hours(-0.5) }));
  expect(decideEnrol(circumstances('active', many(CERTIFICATES_AN_HOUR - 1)))).toMatchObject(SIGN);
  expect(decideEnrol(circumstances('active', many(CERTIFICATES_AN_HOUR)))).toMatchObject(refusal('request.too_many'));
});

describe('a late retry', () => {
  const asked = { keyThumbprint: 'key of L' };
  it('by the factory certificate that asked, for the key in use, gets what it got', () => {
    expect(decideEnrol(circumstances('active', [held('L')], asked))).toMatchObject({
      kind: 'again',
      thumbprint: named('L'),
    });
  });
  it('by another is none', () => {
    const other = held('L', { askedBy: named('another') });
    expect(decideEnrol(circumstances('active', [other], asked))).toMatchObject(refusal('est.certificate_refused'));
  });
});

describe('a label', () => {
  const ask = (policy: Parameters<typeof labelPolicy>[0]) => {
    const label = { name: circumstances('registered', []).label.name, policy: labelPolicy(policy) };
    return decideEnrol(circumstances('registered', [], {}, { label }));
  };
  it('takes whom it admits', () => {
    expect(ask({ deviceLabels: ['truck'] })).toMatchObject(refusal('est.label_refused'));
    expect(ask({ deviceLabels: [] })).toMatchObject(SIGN);
  });
  it('takes the keys it names', () => {
    expect(ask({ keyAlgorithms: ['Ed25519'] })).toMatchObject(refusal('est.csr_key_refused'));
    expect(ask({ keyAlgorithms: ['P-256'] })).toMatchObject(SIGN);
  });
});
