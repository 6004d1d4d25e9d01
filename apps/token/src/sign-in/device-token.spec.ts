import { createHmac } from 'node:crypto';
import { expect, it, test } from '@jest/globals';
import { DEVICE_TOKEN_SECONDS, deviceToken, knownDevice } from './device-token.js';

const NOW = 1_700_000_000_000;
const NONCE = 'ab'.repeat(16);
const mac = (text: string) => createHmac('sha256', 'key').update(text).digest();
const token = deviceToken('ada', NONCE, NOW, mac);

it('is known for its account until it ends', () => {
  expect(knownDevice(token, 'ada', NOW, mac)).toBe(NONCE);
  expect(knownDevice(token, 'ada', NOW + DEVICE_TOKEN_SECONDS * 1000, mac)).toBeUndefined();
  expect(knownDevice(token, 'bob', NOW, mac)).toBeUndefined();
});

test.each<[string, string | undefined]>([
  ['nothing', undefined],
  ['rubbish', 'rubbish'],
  ['another nonce', token.replace(/^ab/, 'ac')],
  ['a later end', token.replace(/\.(\d+)\./, (_all, until) => `.${Number(until) + 1}.`)],
  ['another proof', deviceToken('ada', NONCE, NOW, () => Buffer.alloc(32))],
])('is not known by %s', (_name, text) => expect(knownDevice(text, 'ada', NOW, mac)).toBeUndefined());
