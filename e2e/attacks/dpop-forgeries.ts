/** What can be made of a good DPoP proof. */
import { createHmac, generateKeyPairSync } from 'node:crypto';
import type { Prover } from '../harness/dpop.js';
import type { Ask } from '../harness/thief.js';
import { type Members, part } from '../harness/token-signing-key.js';

/** `ask` with its token; `nonce`: a good one. None of these may be taken. */
export function forgedProofs(prover: Prover, ask: Ask, nonce: string): [string, string][] {
  const by = (claims: Members, header: Members = {}) => prover.proof(ask, { nonce, ...claims }, header);
  const good = by({});
  const [, claims = '', signature = ''] = good.split('.');
  const header = (changes: Members) => part({ typ: 'dpop+jwt', alg: 'ES256', jwk: prover.jwk, ...changes });
  const hmac = createHmac('sha256', JSON.stringify(prover.jwk)).update(`${header({ alg: 'HS256' })}.${claims}`);
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const now = Math.floor(Date.now() / 1000);
  return [
    ['a proof with alg none', `${header({ alg: 'none' })}.${claims}.${signature}`],
    ['a proof with no signature', `${header({})}.${claims}.`],
    ['a proof with HS256 by its own jwk', `${header({ alg: 'HS256' })}.${claims}.${hmac.digest('base64url')}`],
    [
      'a proof with another jwk than signed',
      `${header({ jwk: { ...other.publicKey.export({ format: 'jwk' }) } })}.${claims}.${signature}`,
    ],
    ['a proof with its private key in it', by({}, { jwk: { ...prover.privateKey.export({ format: 'jwk' }) } })],
    ['a proof with crit', by({}, { crit: ['exp'] })],
    ['a proof with jku', by({}, { jku: 'https://127.0.0.1:9/keys.json' })],
    ['a proof with x5c', by({}, { x5c: [] })],
    ['a proof with typ at+jwt', by({}, { typ: 'at+jwt' })],
    ['a proof of another method', by({ htm: 'DELETE' })],
    ['a proof of another URL', by({ htu: 'https://127.0.0.1:9/v1/telemetry/window' })],
    ['a proof of another token', by({ ath: 'A'.repeat(43) })],
    ['a proof of yesterday', by({ iat: now - 86_400 })],
    ['a proof of tomorrow', by({ iat: now + 86_400 })],
    ['a proof with a short jti', by({ jti: '1' })],
    ['two proofs', `${by({})}, ${by({})}`],
    ['4 KB of proof', by({ more: 'x'.repeat(4000) })],
  ];
}
