import { describe, expect } from '@jest/globals';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { curl } from '../harness/curl.js';
import { at } from '../harness/endpoints.js';
import { itWith } from '../harness/installed.js';
import { operator, operatorToken } from '../harness/operator.js';
import { outrider } from '../harness/outrider.js';

const test = itWith(['curl']);

describe('the operator token', () => {
  test('is printed by the command line, and is one for operators', async () => {
    const { code, stdout } = await outrider('token');
    expect(code).toBe(0);
    const keys = createLocalJWKSet((await curl(`${at('token', 'operator')}/oauth2/jwks`)).json());
    const { payload } = await jwtVerify(stdout.trim(), keys, {
      issuer: at('token', 'vehicle'),
      audience: 'urn:outrider:operator',
      algorithms: ['ES256'],
      typ: 'at+jwt',
    });
    expect(payload.sub).toMatch(/^op:[0-9a-f-]{36}$/);
  });

  test('opens every operator listener', async () => {
    const opened = await Promise.all([
      operator('provisioning', 'GET', '/v1/devices?limit=1'),
      operator('telemetry', 'GET', '/v1/telemetry?limit=1'),
      operator('gateway', 'GET', '/v1/blocks?limit=1'),
      operator('gateway', 'GET', '/v1/decisions?limit=1'),
    ]);
    expect(opened.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });

  test('is needed there, whole', async () => {
    const none = await operator('provisioning', 'GET', '/v1/devices', { token: '' });
    expect(none).toMatchObject({ status: 401, body: { code: 'auth.token_missing' } });
    const [header, claims, signature = ''] = operatorToken().split('.');
    const forged = `${header}.${claims}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    const changed = await operator('revocation', 'POST', '/revoke', { token: forged, body: {} });
    expect(changed).toMatchObject({ status: 401, body: { code: 'auth.token_invalid' } });
  });

  test('opens no vehicle listener', async () => {
    const args = ['-H', `Authorization: Bearer ${operatorToken()}`, '-d', '{}'];
    expect((await curl(`${at('telemetry', 'vehicle')}/v1/telemetry`, args)).status).toBe(401);
  });
});
