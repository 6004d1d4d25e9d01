import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { ACR, OPERATOR_AUDIENCE } from '@outrider/admission';
import { jwksGet } from '@outrider/contracts';
import { JWS_TYP, signJws } from '@outrider/crypto';
import type { TestNats } from './nats.client.js';

/** Stands in for the token service, on the real NATS under its own user: its keys, and tokens by them. */
export interface TestTokenService {
  readonly keyId: string;
  /** Of an operator nobody met before, or of `subject`, with role `admin`. */
  operatorToken(scope: string, subject?: string): string;
  /** Any access token by the service's key; `iss`, times and `jti` are there. */
  accessToken(claims: object): string;
  stop(): Promise<void>;
}

const KEY_ID = 'test';
const LIFETIME_SECONDS = 300;

/** @param issuer the `tokenIssuer` of the service under test. */
export async function startTokenService(nats: TestNats, issuer: string): Promise<TestTokenService> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' });
  const jwk = { kty: 'EC', crv: 'P-256', x, y, kid: KEY_ID, use: 'sig', alg: 'ES256' };
  const connection = await nats.connectAs('token');
  connection.subscribe(jwksGet.subject, {
    callback: (_error, msg) => void msg.respond(JSON.stringify({ ok: { keys: [jwk] } })),
  });
  const accessToken = (claims: object) => {
    const iat = Math.floor(Date.now() / 1000);
    const times = { iss: issuer, iat, nbf: iat, exp: iat + LIFETIME_SECONDS, jti: randomUUID() };
    return signJws({
      header: { typ: JWS_TYP.accessToken, kid: KEY_ID },
      payload: JSON.stringify({ ...times, ...claims }),
      key: privateKey,
    });
  };
  const operator = (sub: string) => ({
    ...{ sub, client_id: 'local-admin', roles: ['admin'] },
    ...{ acr: ACR.service, amr: ['pop'], auth_time: Math.floor(Date.now() / 1000) },
  });
  return {
    keyId: KEY_ID,
    accessToken,
    operatorToken: (scope, subject = `op:${randomUUID()}`) =>
      accessToken({ ...operator(subject), aud: OPERATOR_AUDIENCE, scope }),
    stop: () => connection.close(),
  };
}
