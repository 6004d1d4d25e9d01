import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { at, endpoints, type Service } from '../harness/endpoints.js';
import { newDeviceId } from '../harness/folder.js';
import { operator, operatorToken } from '../harness/operator.js';
import { partsOf, signedJws, tokenSigningKey } from '../harness/token-signing-key.js';
import { Client } from './client.js';
import { Described, type Document } from './document.js';
import type { Ground } from './examples.js';
import { bad, good, oversize, unauthorised, type Walk } from './walk.js';

const SERVICES = ['provisioning', 'token', 'telemetry', 'command', 'revocation', 'gateway'] as const;
const MANUFACTURER = 'demo-motors';

const client = new Client();
const tokens: Record<string, string> = {};
const described = new Map<Service, Described>();
let ground: Ground;

function walk(service: Service, face: 'operator' | 'http' = 'operator'): Walk {
  const of = described.get(service);
  if (!of) throw new Error(`${service} has no document`);
  return { service, face, described: of, client, ground, authorization: () => `Bearer ${operatorToken()}` };
}

/** Good in all but one thing each. */
async function badTokens(): Promise<void> {
  const { kid, key } = await tokenSigningKey();
  const { header, claims } = partsOf(operatorToken());
  const now = Math.floor(Date.now() / 1000);
  const signed = (changed: object) => `Bearer ${signedJws({ ...header, kid }, { ...claims, ...changed }, key)}`;
  tokens['an expired token'] = signed({ iat: now - 900, nbf: now - 900, exp: now - 600 });
  tokens['a token without the scope'] = signed({ scope: 'no:such-right', jti: randomBytes(16).toString('base64url') });
  tokens['a token of another issuer'] = signed({ iss: 'https://elsewhere.example' });
  tokens.garbage = 'Bearer garbage';
}

/** Ids of what is there already, so that single things are shown and not only missed. */
async function idsThatAreThere(): Promise<Record<string, string>> {
  const device = ground.device;
  const reason = 'a test of the description of the APIs';
  const order = await operator('provisioning', 'POST', `/v1/devices/${device}/orders`, {
    body: { kind: 'recovery', reason },
  });
  const asked = { scope: 'policy:write', reason, duration_seconds: 300 };
  const elevation = await operator('token', 'POST', '/v1/elevations', { body: asked });
  const accounts = await operator('token', 'GET', '/v1/operators?limit=1');
  const first = async (service: Service, path: string) => (await operator(service, 'GET', path)).body?.items?.[0];
  const job = await first('revocation', '/v1/revocations/jobs');
  const batch = await first('command', '/v1/command-batches');
  const found = {
    order: order.body?.order_id,
    elevation: elevation.body?.elevation_id,
    account: accounts.body?.items?.[0]?.sub,
    job: job?.id,
    batch: batch?.id,
  };
  return Object.fromEntries(Object.entries(found).filter(([, id]) => typeof id === 'string')) as Record<string, string>;
}

beforeAll(async () => {
  const device = newDeviceId('rest');
  const throwaway = newDeviceId('rest-gone');
  const ca = readFileSync(endpoints.factory.ca, 'utf8');
  ground = { device, throwaway, manufacturer: MANUFACTURER, geofence: newDeviceId('fence'), ca, ids: {} };
  const body = { device_id: device, manufacturer: MANUFACTURER, serial_number: device };
  expect(await operator('provisioning', 'POST', '/v1/devices', { body })).toMatchObject({ status: 201 });
  ground = { ...ground, ids: await idsThatAreThere() };
  await badTokens();
  for (const service of SERVICES) {
    const answer = await client.ask({ method: 'GET', url: `${at(service, 'operator')}/openapi.json` });
    described.set(service, new Described(JSON.parse(answer?.text ?? '') as Document));
  }
}, 60_000);

afterAll(() => client.close());

describe.each(SERVICES)('the operator routes of %s answer as described', (service) => {
  it('to good requests', async () => {
    expect(await good(walk(service))).toEqual([]);
  }, 60_000);

  it('to requests that do not fit', async () => {
    expect(await bad(walk(service))).toEqual([]);
  }, 60_000);

  it('to those who may not', async () => {
    expect(await unauthorised(walk(service), tokens)).toEqual([]);
  }, 60_000);

  it('to more than they take', async () => {
    expect(await oversize(walk(service))).toEqual([]);
  }, 60_000);
});

it.each(SERVICES)(
  'the plain routes of %s answer as described',
  async (service) => {
    expect(await good(walk(service, 'http'))).toEqual([]);
  },
  60_000,
);
