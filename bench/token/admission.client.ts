/** What verifying a vehicle's token costs a resource, once its signature has been checked: the guard's own decision, in this process. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { admit, Denylist, type DeviceClaims, type TokenVerdict } from '@outrider/admission';
import { JWS_TYP, signJws, type VerificationKey, verificationKeyOf } from '@outrider/crypto';
import { DeviceId, Thumbprint } from '@outrider/ids';
import { PROJECT } from '../suite/own-suite.client.js';

const CALLS = 100_000;
const ISSUER = 'https://127.0.0.1:8442';

interface Tokens {
  device(compact: string, nowMs: number): TokenVerdict<DeviceClaims>;
}
interface Keys {
  readonly version: number;
  get(kid: string): VerificationKey | undefined;
}
type AccessTokensClass = new (keys: Keys, runtime: object) => Tokens;

/** Microseconds of one admission of a cached token: hash, cache, binding, denylist, freshness, scope, device. */
export async function cachedAdmissionMicros(): Promise<number> {
  // Not exported by platform: services have it by injection.
  const file = join(PROJECT, 'libs/platform/dist/admission/access-tokens.service.js');
  const { AccessTokens } = (await import(file)) as { AccessTokens: AccessTokensClass };
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = verificationKeyOf(publicKey);
  const runtime = { service: 'telemetry', config: { tokenIssuer: ISSUER, tokenSkewSeconds: 10 } };
  const tokens = new AccessTokens({ version: 1, get: () => key }, runtime);
  const deviceId = DeviceId.parse('bench-vehicle');
  const thumbprint = Thumbprint.parse('A'.repeat(43));
  const iat = Math.floor(Date.now() / 1000);
  const who = { iss: ISSUER, sub: deviceId, client_id: deviceId, aud: 'urn:outrider:telemetry' };
  const claims = { ...who, iat, nbf: iat, exp: iat + 300, jti: randomUUID(), scope: 'telemetry:write' };
  const payload = JSON.stringify({ ...claims, cnf: { 'x5t#S256': thumbprint } });
  const bearer = signJws({ header: { typ: JWS_TYP.accessToken, kid: 'bench' }, payload, key: privateKey });
  const route = { require: 'token', scopes: ['telemetry:write'], control: false, recovery: false } as const;
  const validity = { notBefore: new Date(0), notAfter: new Date(Date.now() + 86_400_000) };
  const certificate = { authorized: true, thumbprint, serial: 'aa-01', keyThumbprint: 'k', deviceId, ...validity };
  const request = { certificate, remoteAddress: '127.0.0.1', bearer };
  const denylist = new Denylist();
  for (let n = 0; n < 10_000; n++) {
    denylist.apply({ kind: 'token', value: randomUUID(), mode: 'deny', reason: 'bench', sequence: n + 1 });
  }
  const freshnessLimits = { controlStaleMs: 5000, staleMs: 60_000 };
  const once = () => {
    const nowMs = Date.now();
    const verifyToken = (compact: string) => tokens.device(compact, nowMs);
    return admit(route, request, { denylist, feedAgeMs: 0, freshnessLimits, verifyToken, nowMs });
  };
  for (let n = 0; n < 2000; n++) if (once().decision !== 'allow') throw new Error('the token is not admitted');
  const before = process.cpuUsage();
  for (let n = 0; n < CALLS; n++) once();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / CALLS;
}
