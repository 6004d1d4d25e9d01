import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deniedInLog } from '../harness/decisions.js';
import { endpoints, PROJECT, type Service } from '../harness/endpoints.js';
import { file } from '../harness/folder.js';
import { newKey } from '../harness/openssl.js';
import { operator, operatorToken } from '../harness/operator.js';
import { outriderJson } from '../harness/outrider.js';
import { must } from '../harness/run.js';
import { configFileOf, configOf } from '../harness/service-config.js';
import { partsOf, signedJws, tokenSigningKey } from '../harness/token-signing-key.js';
import { until } from '../harness/until.js';
import { attack } from './attack.js';
import { unharmed, victim } from './cast.js';
import { said } from './said.js';

type Call = readonly [service: Service, method: 'GET' | 'POST' | 'PUT', path: string, body?: object];

function calls(device: string): readonly Call[] {
  return [
    ['provisioning', 'GET', '/v1/devices'],
    ['provisioning', 'POST', '/v1/devices', { device_id: 'nobody', manufacturer: 'demo-motors', serial_number: 'X' }],
    ['provisioning', 'PUT', '/v1/manufacturers/mine', { ca: 'x' }],
    ['telemetry', 'GET', `/v1/devices/${device}/telemetry`],
    ['telemetry', 'POST', '/v1/epochs', { devices: 'held', reason: 'mine' }],
    ['telemetry', 'POST', `/v1/devices/${device}/fetch-orders`, { ranges: [[1, 2]], reason: 'mine' }],
    ['command', 'POST', `/v1/vehicles/${device}/commands`, { name: 'unlock' }],
    ['command', 'POST', '/v1/command-batches', { name: 'honk', target: { devices: [device] } }],
    ['revocation', 'POST', '/revoke', { device_id: device, reason: 'key-compromise' }],
    ['gateway', 'POST', '/admin/block', { device_id: device }],
    ['gateway', 'POST', '/admin/unblock', { device_id: device, reason: 'mine' }],
    ['gateway', 'POST', '/admin/block', { network: '192.0.2.0/24' }],
    ['gateway', 'POST', '/admin/block', { token_id: 'mine' }],
    ['gateway', 'GET', '/v1/blocks/history'],
    ['gateway', 'GET', '/v1/decisions'],
    ['gateway', 'GET', '/v1/decisions/stream?after=0'],
  ];
}

/** A service account with only the role `viewer`, and its token. */
async function viewerToken(): Promise<string> {
  const clientId = `viewer-${randomUUID().slice(0, 8)}`;
  const key = createPrivateKey(readFileSync(await newKey(`${clientId}.key`, 'P-256')));
  const publicKey = file(`${clientId}.pub`, createPublicKey(key).export({ type: 'spki', format: 'pem' }) as string);
  const program = join(PROJECT, 'apps/token/dist/operator-account.command.js');
  const account = ['--client-id', clientId, '--identity', clientId, '--roles', 'viewer', '--public-key', publicKey];
  await must(process.execPath, [program, '--config', configFileOf('token'), ...account]);
  const now = Math.floor(Date.now() / 1000);
  const aud = configOf('token').tokenIssuer;
  const claims = { iss: clientId, sub: clientId, aud, iat: now, exp: now + 60, jti: randomUUID() };
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: signedJws({ alg: 'ES256', typ: 'JWT' }, claims, key),
  });
  const args = ['-sS', '--cacert', endpoints.trust.server, '-d', form.toString()];
  const { stdout } = await must('curl', [...args, `${endpoints.services.token?.operator}/oauth2/token`]);
  return (JSON.parse(stdout) as { access_token: string }).access_token;
}

/** Of an elevation that was approved, used, and ended before its time. */
async function endedElevation(): Promise<string> {
  const asked = ['--scope', 'policy:write', '--reason', 'an attack on an ended elevation', '--minutes', '5'];
  const { elevation_id: id } = await outriderJson<{ elevation_id: string }>('elevation', 'request', ...asked);
  await outriderJson('login', '--as', 'local-officer');
  await outriderJson('elevation', 'approve', id, '--as', 'local-officer');
  const { access_token: token } = await outriderJson<{ access_token: string }>('token', '--elevation', id);
  const before = await operator('provisioning', 'GET', '/v1/devices?limit=1', { token });
  if (before.status !== 200) throw new Error(`the elevated token is refused before its end: ${before.status}`);
  await outriderJson('elevation', 'revoke', id);
  await until(
    'the end of the elevation is known everywhere',
    async () => (await operator('gateway', 'GET', '/v1/blocks?limit=1', { token })).status === 401,
    { withinMs: 20_000 },
  );
  return token;
}

export const operatorApis = attack(
  25,
  'calls operator APIs with a device token, an expired operator token, a role without the right, an ended elevation',
  '401 or 403 each',
  async (trial) => {
    const car = await victim();
    const begun = new Date();
    const { kid, key } = await tokenSigningKey();
    const { header, claims } = partsOf(operatorToken());
    const now = Math.floor(Date.now() / 1000);
    const byKey = (others: object) => signedJws({ ...header, kid }, { ...claims, ...others }, key);
    const tokens: [string, string, RegExp][] = [
      ['none', '', /^401 auth\.token_missing$/],
      ["a vehicle's", await car.token(), /^401 auth\.token_invalid$/],
      ["a vehicle's, for control", await car.token('command:receive'), /^401 auth\.token_invalid$/],
      [
        "a vehicle's with the operators' audience",
        signedJws({ ...header, kid }, { ...partsOf(await car.token()).claims, aud: claims.aud }, key),
        /^401 auth\.token_invalid$/,
      ],
      ['expired', byKey({ iat: now - 1000, nbf: now - 1000, exp: now - 1 }), /^401 auth\.token_expired$/],
      ['without scopes', byKey({ scope: 'none' }), /^403 auth\.(scope|role)_insufficient$/],
    ];
    const control = await operator('provisioning', 'GET', '/v1/devices?limit=1', { token: byKey({}) });
    trial.must('the same token, not expired', control.status === 200, control);
    const ask = async (token: string, [service, method, path, body]: Call) => {
      const headers = { 'idempotency-key': randomUUID() };
      const answer = await operator(service, method, path, { token, headers, ...(body ? { body } : {}) });
      return [answer.status, answer.body?.code].filter(Boolean).join(' ');
    };
    for (const [what, token, wanted] of tokens)
      for (const call of calls(car.id)) trial.check(`${what}: ${call[1]} ${call[2]}`, wanted, await ask(token, call));
    const ended = await endedElevation();
    for (const call of calls(car.id))
      trial.check(`an ended elevation: ${call[1]} ${call[2]}`, '401 denylist.token', await ask(ended, call));
    const viewer = await viewerToken();
    for (const call of calls(car.id)) {
      const wanted = call[1] === 'GET' && call[0] !== 'gateway' ? /^200$/ : /^403 auth\.(scope|role)_insufficient$/;
      trial.check(`a viewer: ${call[1]} ${call[2]}`, wanted, await ask(viewer, call));
    }
    for (const path of ['/v1/telemetry', '/v1/devices', '/admin/block']) {
      const seen = said(
        await car.client.ask({ service: 'telemetry', method: 'POST', path, token: operatorToken(), body: '{}' }),
      );
      trial.check(`an operator's token on a vehicle listener, ${path}`, /^(401 auth\.token_invalid|404 .*)$/, seen);
    }
    for (const service of ['provisioning', 'command', 'revocation', 'gateway', 'telemetry'] as const)
      await deniedInLog('auth.token_expired', { service, since: begun });
    trial.check('the vehicle is neither revoked nor blocked', '200 accepted', said(await car.send(car.message())));
    await unharmed(trial);
  },
);
