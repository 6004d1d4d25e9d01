import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { deniedInLog } from '../harness/decisions.js';
import { Prover, proven } from '../harness/dpop.js';
import type { Ask } from '../harness/thief.js';
import { type Members, part, partsOf, signedJws, tokenSigningKey } from '../harness/token-signing-key.js';
import { attack } from './attack.js';
import { unharmed, victim } from './cast.js';
import { forgedProofs } from './dpop-forgeries.js';
import { said } from './said.js';

/** What can be made of a good token without the signing key. */
function withoutTheKey(good: string, { publicKey }: { publicKey: KeyObject }): [string, string][] {
  const { header, claims } = partsOf(good);
  const [first = '', second = '', signature = ''] = good.split('.');
  const hmac = (secret: string | Buffer) => {
    const input = `${part({ ...header, alg: 'HS256' })}.${second}`;
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  };
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = own.publicKey.export({ format: 'jwk' });
  const byOwn = (more: Members) => signedJws({ ...header, ...more }, claims, own.privateKey);
  const url = 'https://127.0.0.1:9/keys.json';
  return [
    ...['none', 'None', 'NONE', ''].flatMap((alg): [string, string][] => [
      [`alg ${alg}`, `${part({ ...header, alg })}.${second}.`],
      [`alg ${alg}, signature kept`, `${part({ ...header, alg })}.${second}.${signature}`],
    ]),
    ['no signature', `${first}.${second}.`],
    ['HS256 by the key in PEM', hmac(publicKey.export({ type: 'spki', format: 'pem' }) as string)],
    ['HS256 by the key in DER', hmac(publicKey.export({ type: 'spki', format: 'der' }))],
    ['HS256 by the JWK', hmac(JSON.stringify(publicKey.export({ format: 'jwk' })))],
    ['HS256 by nothing', hmac('')],
    ['another key', byOwn({})],
    ['another key in jwk', byOwn({ jwk })],
    ['another key in jwk, no kid', signedJws({ typ: header.typ, alg: header.alg, jwk }, claims, own.privateKey)],
    ['jku', byOwn({ jku: url, kid: 'mine' })],
    ['x5u', byOwn({ x5u: url, kid: 'mine' })],
    ['kid as a path', byOwn({ kid: '../../../../dev/null' })],
    ['kid as SQL', byOwn({ kid: "x' UNION SELECT 'key" })],
    ['a signature of noughts', `${first}.${second}.${Buffer.alloc(64).toString('base64url')}`],
    ['another scope', `${first}.${part({ ...claims, scope: 'telemetry:write telemetry:backfill' })}.${signature}`],
    ['a day longer', `${first}.${part({ ...claims, exp: Number(claims.exp) + 86_400 })}.${signature}`],
    ['the signature cut', good.slice(0, -4)],
    ['a fourth part', `${good}.e30`],
    ['standard base64', `${good}=`],
    ['9 KB of it', `${first}.${'A'.repeat(12_000)}.${signature}`],
  ];
}

/** What not even the signing key makes good. */
function withTheKey(good: string, { kid, key }: { kid: string; key: KeyObject }): [string, string][] {
  const { header, claims } = partsOf(good);
  const byKey = (more: Members, others: Members = {}) =>
    signedJws({ ...header, ...more }, { ...claims, ...others }, key);
  const { typ: _, ...untyped } = header;
  const { cnf: __, ...unbound } = claims;
  const input = `${part(header)}.${part(claims)}`;
  const now = Math.floor(Date.now() / 1000);
  return [
    ...['JWT', 'AT+JWT', 'application/at+jwt', 'dpop+jwt', 'outrider-command+jws'].map((typ): [string, string] => [
      `typ ${typ}`,
      byKey({ typ }),
    ]),
    ['no typ', signedJws(untyped, claims, key)],
    ['crit', byKey({ crit: ['exp'] })],
    ['b64', byKey({ b64: false, crit: ['b64'] })],
    ['its own key in jwk', byKey({ jwk: createPublicKey(key).export({ format: 'jwk' }) })],
    ['jku beside the kid', byKey({ jku: 'https://127.0.0.1:9/' })],
    ['x5u beside the kid', byKey({ x5u: 'https://127.0.0.1:9/' })],
    ['alg ES384', byKey({ alg: 'ES384' })],
    ['alg none, well signed', byKey({ alg: 'none' })],
    ['kid in a list', byKey({ kid: [kid] })],
    ['in DER', `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`],
    ['no cnf', signedJws(header, unbound, key)],
    ['cnf empty', byKey({}, { cnf: {} })],
    ['two audiences', byKey({}, { aud: ['urn:outrider:telemetry', 'urn:outrider:command'] })],
    ['another audience', byKey({}, { aud: 'urn:outrider:command' })],
    ['another issuer', byKey({}, { iss: 'https://token.example.com' })],
    ['not valid yet', byKey({}, { iat: now + 600, nbf: now + 600, exp: now + 700 })],
    ['expired', byKey({}, { iat: now - 200, nbf: now - 200, exp: now - 1 })],
    ['exp as text', byKey({}, { exp: String(now + 60) })],
    ['no exp', byKey({}, { exp: null })],
  ];
}

export const forgedTokens = attack(
  13,
  "changes the token's alg to none, to HS256 keyed with the public key, adds jwk/jku/x5u/crit, swaps typ",
  '401 each',
  async (trial) => {
    const car = await victim();
    const good = await car.client.token(car.id, 'telemetry:write');
    const signer = await tokenSigningKey();
    const ask = async (token: string) =>
      said(await car.client.ask({ service: 'telemetry', method: 'GET', path: '/v1/telemetry/window', token }));
    const { header, claims } = partsOf(good);
    const unchanged = signedJws({ ...header, kid: signer.kid }, claims, signer.key);
    trial.must('the token as it came', (await ask(good)) === '200', 'refused');
    trial.must(
      'unchanged, signed again',
      (await ask(unchanged)) === '200',
      'refused: the forgeries below prove nothing',
    );
    const publicKey = createPublicKey(signer.key);
    for (const [what, token] of [...withoutTheKey(good, { publicKey }), ...withTheKey(good, signer)])
      trial.check(what, /^(401 auth\.token_(invalid|expired|missing)|431|400)$/, await ask(token));
    await deniedInLog('auth.token_invalid', { device: car.id, service: 'telemetry' });
    const prover = new Prover();
    const bound = await prover.token(car.client, car.id, 'telemetry:write');
    const proving: Ask = { service: 'telemetry', method: 'GET', path: '/v1/telemetry/window', token: bound };
    const nonce = await prover.nonce(car.client, proving);
    for (const [what, proof] of forgedProofs(prover, proving, nonce))
      trial.check(what, '401 auth.dpop_invalid', said(await car.client.ask(proven(proving, proof))));
    trial.must('a good proof', said(await prover.ask(car.client, proving)) === '200', 'refused: these prove nothing');
    await unharmed(trial);
  },
);
