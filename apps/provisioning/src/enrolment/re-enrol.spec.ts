import { describe, expect, test } from '@jest/globals';
import type { DeviceState } from '@outrider/contracts';
import type { HeldCertificate } from '../certificate/certificate.js';
import { label } from '../label/label.fixture.js';
import { LabelName } from '../label/label.js';
import { CERTIFICATES_AN_HOUR } from './decision.js';
import { circumstances, held, hours, NOW, named } from './decisions.fixture.js';
import { decideReEnrol } from './re-enrol.js';

const asked = (by: string, key = 'a new key', revoked = false) => ({ by, keyThumbprint: key, key: { revoked } });
const SIGN = { kind: 'sign' };
const refusal = (code: string) => ({ kind: 'refuse', code });
const successor = (name: string, parts: Partial<HeldCertificate> = {}) =>
  held(name, { status: 'pending', askedBy: named('C'), createdAt: hours(0), ...parts });

describe('a fleet certificate asks for its successor', () => {
  test.each<[string, DeviceState, HeldCertificate[], ReturnType<typeof asked>, object]>([
    ['with a new key', 'active', [held('C')], asked('C'), SIGN],
    ['with its own key', 'active', [held('C')], asked('C', 'key of C'), SIGN],
    [
      'again: the same',
      'active',
      [held('C'), successor('S')],
      asked('C', 'key of S'),
      { kind: 'again', thumbprint: named('S') },
    ],
    [
      'again with its own key: the same',
      'active',
      [held('C'), successor('S', { keyThumbprint: 'key of C' })],
      asked('C', 'key of C'),
      { kind: 'again', thumbprint: named('S') },
    ],
    ['again with another key: another', 'active', [held('C'), successor('S')], asked('C'), SIGN],
    [
      'again during the overlap: the same',
      'active',
      [held('C', { overlapEndsAt: hours(1) }), successor('S', { status: 'live' })],
      asked('C', 'key of S'),
      { kind: 'again', thumbprint: named('S') },
    ],
    [
      'during the overlap with another key',
      'active',
      [held('C', { overlapEndsAt: hours(1) }), successor('S', { status: 'live' })],
      asked('C'),
      refusal('est.certificate_refused'),
    ],
    [
      'the successor, during the overlap',
      'active',
      [held('C', { overlapEndsAt: hours(1) }), successor('S', { status: 'live' })],
      asked('S'),
      SIGN,
    ],
    ['superseded', 'active', [held('C', { status: 'superseded' })], asked('C'), refusal('est.certificate_refused')],
    ['revoked', 'active', [held('C', { status: 'revoked' })], asked('C'), refusal('est.certificate_refused')],
    ['lapsed', 'active', [held('C', { notAfter: NOW })], asked('C'), refusal('tls.certificate_expired')],
    ['of nobody here', 'active', [held('C')], asked('X'), refusal('est.certificate_refused')],
    ['blocked', 'quarantined', [held('C')], asked('C'), refusal('est.device_state_refused')],
    ['compromised', 'awaiting_recovery', [held('C')], asked('C'), refusal('est.device_state_refused')],
    ['retired', 'retired', [held('C')], asked('C'), refusal('est.device_state_refused')],
    ['a spent key', 'active', [held('C')], asked('C', 'k', true), refusal('est.csr_key_refused')],
    [
      'a successor that was revoked is not handed out again',
      'active',
      [held('C'), successor('S', { status: 'revoked' })],
      asked('C', 'key of S', true),
      refusal('est.csr_key_refused'),
    ],
  ])('%s', (_what, state, certificates, request, expected) => {
    expect(
      decideReEnrol(
        circumstances(state, certificates, request, {
          client: { thumbprint: named(request.by), remoteAddress: '127.0.0.1' },
        }),
      ),
    ).toMatchObject(expected);
  });
});

describe('the certificates of one hour', () => {
  const many = (count: number, agoHours = 0.5) =>
    Array.from({ length: count }, (_, at) =>
      held(`M${at}`, { status: 'superseded', createdAt: hours(-agoHours), keyThumbprint: `key ${at}` }),
    );
  const decided = (certificates: readonly HeldCertificate[], keyThumbprint = 'a new key') =>
    decideReEnrol(
      circumstances(
        'active',
        [held('C', { createdAt: hours(-20) }), ...certificates],
        { keyThumbprint },
        {
          client: { thumbprint: named('C'), remoteAddress: '127.0.0.1' },
        },
      ),
    );

  test('are so many and no more: each stays on the denylist until it would have lapsed', () => {
    expect(decided(many(CERTIFICATES_AN_HOUR - 1))).toMatchObject(SIGN);
    expect(decided(many(CERTIFICATES_AN_HOUR))).toMatchObject({
      ...refusal('request.too_many'),
      retryAfterSeconds: 1800,
    });
    expect(decided(many(CERTIFICATES_AN_HOUR, 1))).toMatchObject(SIGN);
  });

  test('do not keep the same one from being handed out again', () => {
    const last = successor('S', { createdAt: hours(-0.1) });
    expect(decided([last, ...many(CERTIFICATES_AN_HOUR)], 'key of S')).toMatchObject({ kind: 'again' });
  });
});

describe('a lapsed certificate, an hour of grace', () => {
  const lapsed = (parts: Partial<HeldCertificate> = {}) =>
    held('C', { notAfter: hours(-0.5), createdAt: hours(-5), ...parts });
  test.each<[string, DeviceState, HeldCertificate[], object]>([
    ['within it', 'active', [lapsed()], SIGN],
    ['never used, within it', 'active', [lapsed({ status: 'pending' })], SIGN],
    ['at its end', 'active', [lapsed({ notAfter: hours(-1) })], refusal('tls.certificate_expired')],
    ['superseded', 'active', [lapsed({ status: 'superseded' })], refusal('est.certificate_refused')],
    ['revoked', 'active', [lapsed({ status: 'revoked' })], refusal('est.certificate_refused')],
    ['blocked', 'quarantined', [lapsed()], refusal('est.device_state_refused')],
    [
      'its successor in use',
      'active',
      [lapsed({ overlapEndsAt: hours(-0.6) }), successor('S', { status: 'live' })],
      refusal('est.certificate_refused'),
    ],
    ['another enrolled since and in use', 'active', [lapsed(), held('F')], refusal('est.certificate_refused')],
    [
      'another enrolled since, used and lapsed',
      'active',
      [lapsed(), held('F', { notAfter: hours(-0.1) })],
      refusal('est.certificate_refused'),
    ],
    [
      'its successor unused: the same again',
      'active',
      [lapsed(), successor('S', { keyThumbprint: 'a new key' })],
      { kind: 'again' },
    ],
  ])('%s', (_what, state, certificates, expected) => {
    const parts = {
      client: { thumbprint: named('C'), remoteAddress: '127.0.0.1' },
      label: label('grace', { expiredGraceSeconds: 3600 }),
    };
    const given = certificates.map((one) => ({ ...one, label: 'grace' }));
    expect(decideReEnrol(circumstances(state, given, {}, parts))).toMatchObject(expected);
  });
});

describe('a certificate is renewed where it was handed out', () => {
  test.each<[string, string, string[], object]>([
    ['there', 'trucks', [], SIGN],
    ['at a label that takes it over', 'default', ['default'], SIGN],
    ['at an easier one', 'default', [], refusal('est.label_refused')],
    ['at one that takes over from others', 'default', ['vans'], refusal('est.label_refused')],
  ])('%s', (_what, given, renewsFrom, expected) => {
    const parts = {
      client: { thumbprint: named('C'), remoteAddress: '127.0.0.1' },
      label: label('trucks', { renewsFrom: renewsFrom.map((name) => LabelName.parse(name)) }),
    };
    expect(decideReEnrol(circumstances('active', [held('C', { label: given })], {}, parts))).toMatchObject(expected);
  });
});
