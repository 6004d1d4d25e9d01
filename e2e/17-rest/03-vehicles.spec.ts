import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { at, type Service, VEHICLE_SERVICES } from '../harness/endpoints.js';
import { Vehicle } from '../harness/vehicle.js';
import { Client } from './client.js';
import { Described, type Document, type Operation } from './document.js';
import type { Ground } from './examples.js';
import { bad, good, oversize, unauthorised, type Walk } from './walk.js';

const anybody = new Client();
const described = new Map<Service, Described>();
const tokens = new Map<string, string>();
let vehicle: Vehicle;
let client: Client;

/** The first scope that an operation takes: each token is for one service. */
const scopeOf = ({ security }: Operation) => security.find((one) => one.vehicleToken)?.vehicleToken?.[0];

function walk(service: Service, as = client): Walk {
  const of = described.get(service);
  if (!of) throw new Error(`${service} has no document`);
  const { id } = vehicle;
  const ground: Ground = { device: id, throwaway: id, manufacturer: 'demo-motors', geofence: 'none', ca: '', ids: {} };
  const authorization = (operation: Operation) => {
    const scope = scopeOf(operation);
    return scope ? `Bearer ${tokens.get(scope)}` : undefined;
  };
  return { service, face: 'vehicle', described: of, client: as, ground, authorization };
}

beforeAll(async () => {
  vehicle = await Vehicle.enrol('rest');
  client = new Client(vehicle);
  for (const scope of ['telemetry:write', 'telemetry:backfill', 'command:receive'])
    tokens.set(scope, await vehicle.token(scope));
  for (const service of VEHICLE_SERVICES) {
    const answer = await anybody.ask({ method: 'GET', url: `${at(service, 'operator')}/openapi.json` });
    described.set(service, new Described(JSON.parse(answer?.text ?? '') as Document));
  }
}, 60_000);

afterAll(() => {
  client?.close();
  anybody.close();
});

describe.each(VEHICLE_SERVICES)('the vehicle routes of %s answer as described', (service) => {
  it('to good requests', async () => {
    expect(await good(walk(service))).toEqual([]);
  }, 60_000);

  it('to requests that do not fit', async () => {
    expect(await bad(walk(service))).toEqual([]);
  }, 60_000);

  it('to those without a token, with none, or with another’s', async () => {
    const other = service === 'command' ? 'telemetry:write' : 'command:receive';
    const wrong = { garbage: 'Bearer garbage', 'another service’s token': `Bearer ${tokens.get(other)}` };
    expect(await unauthorised(walk(service), wrong)).toEqual([]);
  }, 60_000);

  it('to those without a certificate', async () => {
    expect(await unauthorised(walk(service, anybody), {})).toEqual([]);
  }, 60_000);

  it('to more than they take', async () => {
    expect(await oversize(walk(service))).toEqual([]);
  }, 60_000);
});
