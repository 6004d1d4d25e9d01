import { beforeAll, describe, expect } from '@jest/globals';
import { curl } from '../harness/curl.js';
import { at } from '../harness/endpoints.js';
import { itWith } from '../harness/installed.js';
import { payloadOf, signed } from '../harness/message.js';
import { operator } from '../harness/operator.js';
import { until } from '../harness/until.js';
import { Vehicle } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);

describe('who gets no token', () => {
  let vehicle: Vehicle;
  let other: Vehicle;
  let bare: Vehicle;

  beforeAll(async () => {
    vehicle = await Vehicle.enrol('no-token');
    other = await Vehicle.enrol('no-token-other');
    bare = await Vehicle.enrol('no-token-bare', 'P-256', '--grant', 'command:receive');
  });

  const refusals: readonly [string, () => Promise<{ status: number; json: () => unknown }>, number, string][] = [
    [
      "one that names another vehicle's client_id",
      () => vehicle.askToken('telemetry:write', { client_id: other.id }),
      401,
      'invalid_client',
    ],
    ['mixed families', () => vehicle.askToken('telemetry:write command:receive'), 400, 'invalid_scope'],
    ["an operator's scope", () => vehicle.askToken('device:write'), 400, 'invalid_scope'],
    ['control without the grant', () => bare.askToken('command:receive command:critical'), 400, 'invalid_scope'],
    [
      'a target that the scope does not fit',
      () => vehicle.askToken('telemetry:write', { resource: 'urn:outrider:command' }),
      400,
      'invalid_target',
    ],
    [
      'another grant type',
      () => vehicle.askToken('telemetry:write', { grant_type: 'password' }),
      400,
      'unsupported_grant_type',
    ],
    [
      'a lifetime that is no number',
      () => vehicle.askToken('telemetry:write', { requested_lifetime: 'long' }),
      400,
      'invalid_request',
    ],
    [
      'JSON in place of a form',
      () =>
        curl(`${at('token', 'vehicle')}/oauth2/token`, ['-H', 'Content-Type: application/json', '-d', '{}'], vehicle),
      400,
      'invalid_request',
    ],
    [
      'no form at all',
      () => curl(`${at('token', 'vehicle')}/oauth2/token`, ['-X', 'POST'], vehicle),
      400,
      'invalid_request',
    ],
  ];
  for (const [name, ask, status, error] of refusals) {
    test(`${name}: ${error}`, async () => {
      const answer = await ask();
      expect({ status: answer.status, body: answer.json() }).toMatchObject({
        status,
        body: { error, code: expect.stringMatching(/^(token|request)\./) },
      });
    });
  }

  test('one without a certificate', async () => {
    const form = ['-d', 'grant_type=client_credentials', '-d', `client_id=${vehicle.id}`];
    const answer = await curl(`${at('token', 'vehicle')}/oauth2/token`, form);
    expect({ status: answer.status, body: answer.json() }).toMatchObject({
      status: 401,
      body: { error: 'invalid_client' },
    });
  });

  test('one with its factory certificate: the handshake or the first request refuses it', async () => {
    const form = ['-d', 'grant_type=client_credentials', '-d', `client_id=${vehicle.id}`];
    const refused = await curl(`${at('token', 'vehicle')}/oauth2/token`, form, vehicle.factory).then(
      ({ status }) => status,
      (error: Error) => (/SSL|TLS|alert/i.test(error.message) ? 401 : error),
    );
    expect(refused).toBe(401);
  });

  test('a token opens nothing on another connection, in another service, or in pieces', async () => {
    const token = await vehicle.token();
    const message = signed(payloadOf(other.id, 1), other.key);
    const stolen = await other.sendTelemetry(message, token);
    expect({ status: stolen.status, body: stolen.json() }).toMatchObject({
      status: 401,
      body: { code: 'auth.token_binding_mismatch' },
    });
    expect(stolen.headers['www-authenticate']).toContain('invalid_token');
    const elsewhere = await curl(
      `${at('command', 'vehicle')}/v1/commands/next?wait=1`,
      ['-H', `Authorization: Bearer ${token}`],
      vehicle,
    );
    expect(elsewhere.status).toBe(401);
    const cut = await vehicle.sendTelemetry(signed(payloadOf(vehicle.id, 1), vehicle.key), token.slice(0, -8));
    expect({ status: cut.status, code: cut.json().code }).toEqual({ status: 401, code: 'auth.token_invalid' });
    const asOperator = await operator('provisioning', 'GET', '/v1/devices', { token });
    expect(asOperator.status).toBe(401);
  });

  test('the refusals are in the decision log', async () => {
    await until('the deny in the log', async () => {
      const { body } = await operator(
        'gateway',
        'GET',
        `/v1/decisions?device=${other.id}&code=auth.token_binding_mismatch`,
      );
      return body.items[0]?.service === 'telemetry' && body.items[0]?.decision === 'deny';
    });
  });
});
