import { createHmac, generateKeyPairSync, randomUUID } from 'node:crypto';
import { ACR } from '@outrider/admission';
import { JWS_TYP, signJws } from '@outrider/crypto';
import type { DeviceId } from '@outrider/ids';
import type { Party } from '@outrider/testing';

export const OPERATOR = `op:${randomUUID()}`;
export const signer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const { x, y } = signer.publicKey.export({ format: 'jwk' });
export const jwk = { kty: 'EC', crv: 'P-256', x, y, kid: 'key-1', use: 'sig', alg: 'ES256' } as const;

/** Seconds since the epoch. */
export const now = () => Math.floor(Date.now() / 1000);
export function claims(party: Party, device: DeviceId, more: object = {}) {
  const common = { iss: 'https://127.0.0.1:8442', sub: device, client_id: device, aud: 'urn:outrider:telemetry' };
  const times = { iat: now(), nbf: now(), exp: now() + 120, jti: randomUUID() };
  return { ...common, ...times, scope: 'telemetry:write', cnf: { 'x5t#S256': party.certificate.thumbprint }, ...more };
}
export function operatorClaims(more: object = {}) {
  const common = {
    iss: 'https://127.0.0.1:8442',
    sub: OPERATOR,
    client_id: 'local-admin',
    aud: 'urn:outrider:operator',
  };
  const times = { iat: now(), nbf: now(), exp: now() + 120, jti: randomUUID() };
  const signIn = { acr: ACR.service, amr: ['pop'], auth_time: now() };
  return { ...common, ...times, scope: 'device:read', roles: ['admin'], ...signIn, ...more };
}
export function sign(payload: object, key = signer.privateKey, header: object = {}): string {
  return signJws({
    header: { typ: JWS_TYP.accessToken, kid: 'key-1', ...header },
    payload: JSON.stringify(payload),
    key,
  });
}

export function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

export function hs256(payload: object): string {
  const input = `${part({ alg: 'HS256', typ: 'at+jwt', kid: 'key-1' })}.${part(payload)}`;
  const key = signer.publicKey.export({ type: 'spki', format: 'pem' });
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`;
}
