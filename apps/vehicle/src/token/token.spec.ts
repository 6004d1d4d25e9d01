/** A token belongs to a certificate: after a renewal, or when the platform says that it is superseded, the vehicle asks for another at once. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { Identity } from '../enrol/identity.js';
import type { VehicleClient } from '../http/vehicle.client.js';
import { AuthorizedClient } from './authorized.client.js';
import { TokenService } from './token.service.js';

let server: Server;
let origin: string;
let asked = 0;

beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume().on('end', () => {
      asked += 1;
      response.end(JSON.stringify({ access_token: `token-${asked}`, expires_in: 120, scope: 'telemetry:write' }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  asked = 0;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

/** Over plain HTTP: what is judged here is when it asks. */
const plain = {
  send: async (url: string, { method, headers, body }: Parameters<VehicleClient['send']>[1]) => {
    const answer = await fetch(url, {
      method,
      ...(headers ? { headers } : {}),
      ...(body === undefined ? {} : { body }),
    });
    return { status: answer.status, body: await answer.text() };
  },
} as unknown as VehicleClient;

function tokensOf(identity: { deviceId: string; thumbprint: string }): TokenService {
  return new TokenService(
    new AuthorizedClient(plain, undefined),
    origin,
    identity as unknown as Identity,
    () => undefined,
  );
}

it('is asked for once, whoever wants it meanwhile', async () => {
  const tokens = tokensOf({ deviceId: 'device-1', thumbprint: 'one' });
  expect(await Promise.all([tokens.get('telemetry'), tokens.get('telemetry')])).toEqual(['token-1', 'token-1']);
  expect(await tokens.get('telemetry')).toBe('token-1');
});

it('is not used for another certificate than it was asked for with', async () => {
  const identity = { deviceId: 'device-1', thumbprint: 'one' };
  const tokens = tokensOf(identity);
  expect(await tokens.get('telemetry')).toBe('token-1');
  identity.thumbprint = 'two';
  expect(await tokens.get('telemetry')).toBe('token-2');
});

it('is asked for again at once when the platform says that it is superseded', async () => {
  const tokens = tokensOf({ deviceId: 'device-1', thumbprint: 'one' });
  await tokens.get('telemetry');
  tokens.forget('telemetry');
  expect(await tokens.get('telemetry')).toBe('token-2');
});
