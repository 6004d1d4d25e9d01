import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { expect, it } from '@jest/globals';
import { importPublicKey } from './import-public-key.js';

const pair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = (keys: ReturnType<typeof pair>) => keys.publicKey.export({ type: 'spki', format: 'der' });

it('gives each key its own object, the same for the same bytes', () => {
  const [one, other] = [pair(), pair()];
  const key = importPublicKey(spki(one));
  expect(importPublicKey(new Uint8Array(spki(one)))).toBe(key);
  expect(importPublicKey(spki(other))).not.toBe(key);
  const message = Buffer.from('message');
  expect(verify('sha256', message, key, sign('sha256', message, one.privateKey))).toBe(true);
  expect(verify('sha256', message, importPublicKey(spki(other)), sign('sha256', message, one.privateKey))).toBe(false);
});

it('is not changed by what becomes of the bytes afterwards', () => {
  const bytes = new Uint8Array(spki(pair()));
  const key = importPublicKey(bytes);
  const before = key.export({ type: 'spki', format: 'der' });
  bytes.fill(0);
  expect(key.export({ type: 'spki', format: 'der' })).toEqual(before);
  expect(() => importPublicKey(bytes)).toThrow();
});

it('refuses what is no key, each time', () => {
  const off = Buffer.from(spki(pair()));
  off[off.length - 1]! ^= 1;
  for (const bytes of [off, off, new Uint8Array(), Buffer.from('3000', 'hex')]) {
    expect(() => importPublicKey(bytes)).toThrow();
  }
});

it('remembers a bounded number of keys, and imports the others again', () => {
  const first = spki(generateKeyPairSync('ed25519') as never);
  const key = importPublicKey(first);
  const make = () => generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' });
  for (let n = 0; n < 600; n++) importPublicKey(make());
  const again = importPublicKey(first);
  expect(again).not.toBe(key);
  expect(again.equals(key)).toBe(true);
});
