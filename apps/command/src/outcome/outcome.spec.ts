import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it, test } from '@jest/globals';
import { JWS_TYP, sha256Base64url, signJws, thumbprint, verificationKeyOf } from '@outrider/crypto';
import { CommandId, DeviceId } from '@outrider/ids';
import type { Command } from '../command/command.js';
import { signerOf, stateOf, verifyOutcome } from './outcome.js';

const vehicle = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('ed25519');
const kid = thumbprint(Buffer.from('a certificate'));
const JWS = 'header.payload.signature';
const command = {
  id: CommandId.parse('0b9ec7a2-3c41-4a8e-9a55-0c4e7b9d2f10'),
  deviceId: DeviceId.parse('device-12345'),
  jws: JWS,
  state: 'released',
} as Command;
const good = {
  command_id: command.id as string,
  device_id: command.deviceId as string,
  request_hash: sha256Base64url(JWS),
  result: 'succeeded',
  time: 1_772_366_400,
};
const signed = (payload: object, { typ = JWS_TYP.outcome as string, key = vehicle.privateKey, extra = {} } = {}) =>
  signJws({ header: { typ: typ as typeof JWS_TYP.outcome, kid, ...extra }, payload: JSON.stringify(payload), key });
const key = verificationKeyOf(vehicle.publicKey);

test('a well signed outcome over the released bytes is the vehicle’s word', () => {
  expect(verifyOutcome(signed(good), key, command)).toEqual(good);
  expect(signerOf(signed(good))).toBe(kid);
});

test('its data is the vehicle’s own: any JSON of ordinary text', () => {
  const data = { lat: 37.4, list: [null, true, { deep: 'M\u00fcnchen \\u0000' }] };
  expect(verifyOutcome(signed({ ...good, data }), key, command).data).toEqual(data);
});

describe('refused', () => {
  it.each([
    ['by another key', signed(good, { key: other.privateKey })],
    ['a command passed off as an outcome', signed(good, { typ: JWS_TYP.command })],
    ['over other bytes', signed({ ...good, request_hash: sha256Base64url('other') })],
    ['for another device', signed({ ...good, device_id: 'device-99999' })],
    ['for another command', signed({ ...good, command_id: '3f0e9a10-1111-4222-8333-444455556666' })],
    ['an unknown result', signed({ ...good, result: 'maybe' })],
    ['an unknown member', signed({ ...good, extra: 1 })],
    ['a header with jwk', signed(good, { extra: { jwk: {} } })],
    ['a header with crit', signed(good, { extra: { crit: ['exp'] } })],
    ['a NUL in its detail', signed({ ...good, detail: 'a\0b' })],
    ['a NUL deep in its data', signed({ ...good, data: { list: [{ 'k\0': 1 }] } })],
    ['half a surrogate pair in its data', signed({ ...good, data: { text: '\ud83d' } })],
    [
      'data that nobody nests so deep',
      signed({ ...good, data: { deep: JSON.parse('['.repeat(100) + ']'.repeat(100)) } }),
    ],
    ['cut short', signed(good).slice(0, -4)],
    ['no JWS at all', 'hello'],
  ])('%s', (_name, compact) => {
    expect(() => verifyOutcome(compact, key, command)).toThrow('command.outcome_invalid');
  });

  it('when nothing was released', () => {
    expect(() => verifyOutcome(signed(good), key, { ...command, jws: null })).toThrow('command.outcome_invalid');
  });
});

it('an uncertain vehicle leaves the command unknown', () => {
  expect(['succeeded', 'failed', 'refused', 'uncertain'].map((r) => stateOf(r as 'failed'))).toEqual([
    'succeeded',
    'failed',
    'refused',
    'unknown',
  ]);
});
