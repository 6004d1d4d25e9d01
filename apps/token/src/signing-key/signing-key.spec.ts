import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { expect, it, test } from '@jest/globals';
import { Jwks } from '@outrider/contracts';
import { calculateJwkThumbprint } from 'jose';
import { parseEncryptionKey } from '../sealing/seal.js';
import { openKey, sealKey } from './sealed-key.js';
import { currentSigningKey, publicJwk, publishedJwks, type SigningKey, type SigningKeyState } from './signing-key.js';

function key(state: SigningKeyState, createdAt: number): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = publicJwk(publicKey);
  const at = new Date(createdAt);
  return { kid: jwk.kid, state, since: at, createdAt: at, privateKey, publicJwk: jwk };
}

const [coming, signing, older, retired] = [key('publish', 4), key('sign', 3), key('sign', 2), key('retire', 1)];

it('signs with the newest key in state sign, whatever the order', () => {
  expect(currentSigningKey([retired, older, signing, coming])).toBe(signing);
  expect(currentSigningKey([coming, signing, older, retired])).toBe(signing);
  expect(currentSigningKey([coming, retired])).toBeUndefined();
});

it('publishes those to come and those retired too, public halves alone', () => {
  const jwks = publishedJwks([retired, coming, signing]);
  expect(jwks.keys.map((jwk) => jwk.kid)).toEqual([coming.kid, signing.kid, retired.kid]);
  expect(Jwks.parse(jwks)).toEqual(jwks);
  expect(JSON.stringify(jwks)).not.toContain('"d"');
});

it('names a key by its RFC 7638 thumbprint', async () => {
  expect(signing.kid).toBe(await calculateJwkThumbprint(signing.publicJwk));
});

test.each(['P-384', 'P-521'])('%s is no token signing key', (namedCurve) => {
  expect(() => publicJwk(generateKeyPairSync('ec', { namedCurve }).publicKey)).toThrow(/P-256/);
});

const kek = Buffer.alloc(32, 7);
const nonce = Buffer.alloc(12, 9);

it('a sealed key opens again, and shows nothing of itself', () => {
  const sealed = sealKey(signing.privateKey, signing.kid, kek, nonce);
  const opened = openKey(sealed, signing.kid, [Buffer.alloc(32, 8), kek]);
  expect(publicJwk(createPublicKey(opened))).toEqual(signing.publicJwk);
  expect(sealed.includes(signing.privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(-32))).toBe(false);
});

test.each<[string, (sealed: Buffer) => [Buffer, string, [Buffer]]]>([
  ['another key-encryption key', (sealed) => [sealed, signing.kid, [Buffer.alloc(32, 8)]]],
  ['another row', (sealed) => [sealed, older.kid, [kek]]],
  [
    'a changed byte',
    (sealed) => [Buffer.from(sealed.map((byte, i) => (i === 20 ? byte ^ 1 : byte))), signing.kid, [kek]],
  ],
  ['a cut tag', (sealed) => [sealed.subarray(0, -1), signing.kid, [kek]]],
  ['nothing', () => [Buffer.alloc(0), signing.kid, [kek]]],
])('does not open with %s', (_name, change) => {
  expect(() => openKey(...change(sealKey(signing.privateKey, signing.kid, kek, nonce)))).toThrow(/^signing key/);
});

it('a key-encryption key is 32 bytes in hex or base64', () => {
  expect(parseEncryptionKey(kek.toString('hex'))).toEqual(kek);
  expect(parseEncryptionKey(kek.toString('base64'))).toEqual(kek);
  for (const text of ['', 'secret', kek.toString('hex').slice(2), `${kek.toString('base64')}\n`])
    expect(() => parseEncryptionKey(text)).toThrow(/32 bytes/);
});
