import { expect, test } from '@jest/globals';
import { type AgentMeans, Handlers, type VehicleNow } from './handlers.js';
import { BUILT_IN } from './handlers.store.js';
import { SIMULATED } from './simulated.js';

const PARKED: VehicleNow = { speedKmh: 0, position: { lat: 1, lon: 2 } };

const AGENT: AgentMeans = {
  deliverLogs: async (seconds) =>
    seconds > 7200 ? undefined : { records: 9, delivered: 7, known: 2, refused: 0, givenUp: seconds > 3600 ? 2 : 0 },
};

const handlers = new Handlers(BUILT_IN);
const carryOut = (name: string, parameters: Record<string, unknown>, vehicle: VehicleNow) =>
  handlers.carryOut(name, parameters, vehicle, AGENT);

test.each<[string, Record<string, unknown>, VehicleNow, string, Record<string, string>]>([
  ['honk', { times: 2 }, PARKED, 'succeeded', { honked: '2' }],
  ['honk', {}, PARKED, 'succeeded', { honked: '1' }],
  ['honk', { times: 6 }, PARKED, 'refused', {}],
  ['honk', { times: '2' }, PARKED, 'refused', {}],
  ['honk', { times: 1, loud: true }, PARKED, 'refused', {}],
  ['locate', {}, PARKED, 'succeeded', {}],
  ['locate', {}, { speedKmh: 0, position: undefined }, 'failed', {}],
  ['set-interval', { seconds: 5 }, PARKED, 'succeeded', { interval_seconds: '5' }],
  ['set-interval', { seconds: 0 }, PARKED, 'refused', {}],
  ['set-interval', {}, PARKED, 'refused', {}],
  ['unlock', {}, PARKED, 'succeeded', { doors: 'unlocked' }],
  ['immobilise', {}, PARKED, 'succeeded', { immobilised: 'now' }],
  ['immobilise', {}, { ...PARKED, speedKmh: 80 }, 'succeeded', { immobilised: 'at_standstill' }],
  ['immobilise', {}, { ...PARKED, speedKmh: undefined }, 'succeeded', { immobilised: 'at_standstill' }],
  ['self-destruct', {}, PARKED, 'refused', {}],
  ['constructor', {}, PARKED, 'refused', {}],
  ['__proto__', {}, PARKED, 'refused', {}],
  ['remote-start', {}, PARKED, 'succeeded', { engine: '10 min' }],
  ['remote-start', {}, { ...PARKED, speedKmh: 50 }, 'refused', {}],
  ['fetch-logs', { hours: 80 }, PARKED, 'refused', {}],
  ['fetch-logs', { hours: 1 }, PARKED, 'succeeded', {}],
  ['fetch-logs', { hours: 2 }, PARKED, 'failed', {}],
  ['fetch-logs', { hours: 3 }, PARKED, 'failed', {}],
  ['recover', {}, PARKED, 'succeeded', { recovery: 'asked' }],
  ['recover', { order: 'mine' }, PARKED, 'refused', {}],
])('%s %j on %j: %s', async (name, parameters, vehicle, result, effects) => {
  const { effects: changed = {}, ...led } = await carryOut(name, parameters, vehicle);
  expect({ ...led, effects: changed }).toMatchObject({ result, effects });
});

test('locate answers with the position', async () => {
  expect((await carryOut('locate', {}, PARKED)).data).toEqual({ lat: 1, lon: 2 });
});

test('what is only simulated says so', async () => {
  for (const name of ['honk', 'unlock', 'immobilise', 'remote-start'])
    expect((await carryOut(name, {}, PARKED)).detail).toContain('simulated');
});

test('a handler that fails may have done it: nobody says that it has not', async () => {
  const broken = { ...SIMULATED[0]!, name: 'broken', carryOut: () => Promise.reject(new Error('the bus is away')) };
  expect(await new Handlers([broken]).carryOut('broken', {}, PARKED, AGENT)).toMatchObject({
    result: 'uncertain',
    detail: 'the handler failed: the bus is away',
  });
});

test('a plug-in adds and replaces, and makes nothing uncritical', () => {
  const mild = { ...SIMULATED.find(({ name }) => name === 'unlock')!, critical: false };
  const wipe = { ...mild, name: 'wipe', critical: true };
  const both = new Handlers([...SIMULATED, mild, wipe]);
  expect(['unlock', 'wipe', 'honk', 'nothing'].map((name) => both.isCritical(name))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(both.find('unlock')).toBe(mild);
});
