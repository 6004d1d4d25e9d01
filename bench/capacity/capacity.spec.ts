import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from '@jest/globals';
import { capacityOf, type Fleet, USUAL } from './capacity.js';
import { durationSeconds } from './duration.js';
import { type Figures, Measured, onMachine, withoutZeros } from './figures.js';
import { reportOf } from './report.js';

const of = (value: number) => ({ value, unit: 'x', by: 'a test' });
const costs = (all: number) => ({
  serviceMicros: of(all),
  gatewayMicros: of(10),
  postgresMicros: of(all),
  standbyMicros: of(10),
  natsMicros: of(30),
  natsLeaderMicros: of(12),
  storedBytes: of(all * 4),
  walBytes: of(all * 8),
});
const figures: Figures = {
  verifyMicros: of(80),
  single: costs(100),
  batch: { ...costs(2), records: of(50) },
  recordsPerSecond: of(20_000),
  eventBytes: of(300),
  token: { serviceMicros: of(300), postgresMicros: of(20) },
  renewal: { serviceMicros: of(1000), fleetCaMicros: of(500), postgresMicros: of(400) },
  pollMicros: of(100),
  handshakeMicros: of(600),
  connections: of(1000),
  connectionBytes: of(50_000),
  ocspMicros: of(100),
  entriesPerRevocation: of(2),
  denylistEntryBytes: of(75),
  crlEntryBytes: of(37),
  wire: {
    postBytes: of(1000),
    recordBytes: of(100),
    tokenRequestBytes: of(500),
    answerBytes: of(400),
    handshakeInBytes: of(1500),
    handshakeOutBytes: of(2500),
  },
};
const fleet: Fleet = { ...USUAL, vehicles: 1_000_000, intervalSeconds: 10 };
const part = (name: string, of: Fleet = fleet) => capacityOf(of, figures).parts.find((one) => one.name === name);

describe('what a fleet takes', () => {
  it('counts what a million vehicles do in a second', () => {
    const { perSecond } = capacityOf(fleet, figures);
    expect(perSecond.records).toBe(100_000);
    expect(perSecond.posts).toBe(100_000);
    // 120 s, used up to 15 s before its end.
    expect(perSecond.tokens).toBeCloseTo(1_000_000 / 105);
    // 24 h, used for 16.
    expect(perSecond.renewals).toBeCloseTo(1_000_000 / 57_600);
    expect(perSecond.polls).toBeCloseTo(1_000_000 / 3600);
    // 24 times a day, on two connections and one for the token; and each renewal.
    expect(perSecond.handshakes).toBeCloseTo((1_000_000 * 24 * 3) / 86_400 + 1_000_000 / 57_600);
  });

  it('adds cores up and leaves room in each process', () => {
    const token = part('token');
    const handshakes = (1_000_000 * 24 * 3) / 86_400 + 1_000_000 / 57_600;
    expect(token?.cores).toBeCloseTo((1_000_000 / 105) * 0.0003 + (handshakes / 3) * 0.0006);
    expect(token?.replicas).toBe(Math.ceil((token?.cores ?? 0) / 0.6));
    const { parts, cores } = capacityOf(fleet, figures);
    expect(cores).toBeCloseTo(parts.reduce((sum, one) => sum + (one.cores ?? 0), 0));
  });

  it('never leaves a service with fewer than two processes, nor NATS with fewer than three nodes', () => {
    const small = capacityOf({ ...fleet, vehicles: 10 }, figures);
    for (const { name, replicas } of small.parts) {
      if (!name.startsWith('PostgreSQL')) expect(replicas).toBe(name === 'NATS' ? 3 : 2);
    }
    expect(small.nats.regions).toBe(1);
  });

  it('spreads over the records of a POST what a POST costs, and meets both measured sizes', () => {
    expect(part('telemetry')?.cores).toBeGreaterThan(10);
    const batches = { ...fleet, recordsPerPost: 50 };
    const service = (of: Fleet) => (part('telemetry', of)?.cores ?? 0) - (part('command', of)?.cores ?? 0);
    expect(service(fleet)).toBeCloseTo(100_000 * 100e-6);
    expect(service(batches)).toBeCloseTo(100_000 * 2e-6);
    expect(service({ ...fleet, recordsPerPost: 10 })).toBeGreaterThan(service(batches));
    expect(service({ ...fleet, recordsPerPost: 10 })).toBeLessThan(service(fleet));
  });

  it('fetches no more tokens than there are POSTs', () => {
    const seldom = capacityOf({ ...fleet, intervalSeconds: 600 }, figures).perSecond;
    expect(seldom.tokens).toBeCloseTo(seldom.posts);
  });

  it('keeps events in as many regions as one leader each can write', () => {
    const { nats, perSecond } = capacityOf({ ...fleet, vehicles: 10_000_000 }, figures);
    expect(nats.regions).toBe(Math.ceil((perSecond.events * 12e-6) / 0.6));
  });

  it('says which part is dearest, and what nobody has measured', () => {
    const { dominates, extrapolated } = capacityOf(fleet, figures);
    expect(dominates.slice(0, 2).sort()).toEqual(['PostgreSQL primaries', 'telemetry']);
    expect(extrapolated.join()).toMatch(/100000 records a second: 20000 were measured/);
    expect(extrapolated.join()).toMatch(/assumed/);
    const measured = capacityOf({ ...fleet, vehicles: 400, connections: 2 }, figures).extrapolated;
    expect(measured).toHaveLength(1);
  });

  test.each([
    ['vehicles', 0],
    ['vehicles', -1],
    ['intervalSeconds', 0],
    ['tokenSeconds', Number.NaN],
    ['utilisation', 1.5],
  ] as const)('refuses %s of %d', (name, value) => {
    expect(() => capacityOf({ ...fleet, [name]: value }, figures)).toThrow(RangeError);
  });

  it('grows with the fleet, in everything', () => {
    const [one, ten] = [fleet, { ...fleet, vehicles: 10_000_000 }].map((of) => capacityOf(of, figures));
    expect(ten?.cores).toBeCloseTo(10 * ((one?.cores ?? 0) - 0.01) + 0.01);
    expect(ten?.connections.memoryGiB).toBeCloseTo(10 * (one?.connections.memoryGiB ?? 0));
    expect(ten?.database.storedTiB).toBeCloseTo(10 * (one?.database.storedTiB ?? 0));
  });
});

describe('what is not measured', () => {
  const unseen = (value: number | null): Figures => ({
    ...figures,
    single: { ...figures.single, gatewayMicros: { ...of(1), value }, postgresMicros: { ...of(1), value } },
  });
  const found = ({ parts }: ReturnType<typeof capacityOf>, wanted: string) => parts.find(({ name }) => name === wanted);

  test.each([0, null])('a cost of %p is none, in its part, in the totals and on another machine', (value) => {
    const [known, capacity] = [capacityOf(fleet, figures), capacityOf(fleet, onMachine(unseen(value), 80))];
    expect(found(capacity, 'gateway')).toMatchObject({ cores: null, replicas: null, without: ['records'] });
    const [primaries, all] = [found(capacity, 'PostgreSQL primaries'), found(known, 'PostgreSQL primaries')];
    expect(primaries?.without).toEqual(['records']);
    expect(primaries?.cores).toBeCloseTo((all?.cores ?? 0) - 100_000 * 100e-6);
    expect(capacity.without).toEqual(['gateway: records', 'PostgreSQL primaries: records']);
    expect(capacity.cores).toBeCloseTo(known.cores - (found(known, 'gateway')?.cores ?? 0) - 100_000 * 100e-6);
    const text = reportOf(fleet, capacity, { date: '2026-01-01', machine: 'm', conditions: 'c', figures });
    expect(text).toMatch(/gateway +not measured +not measured/);
    expect(text).toMatch(/together .*without gateway: records; PostgreSQL primaries: records/);
    expect(text).not.toMatch(/NaN|null|undefined/);
  });

  it('of one size alone says nothing of the other, and nothing of what is between', () => {
    const gateway = (recordsPerPost: number) =>
      found(capacityOf({ ...fleet, recordsPerPost }, unseen(0)), 'gateway')?.cores;
    expect([gateway(1), gateway(10)]).toEqual([null, null]);
    expect(gateway(50)).toBeCloseTo(100_000 * 10e-6);
  });

  it('is never kept as 0', () => {
    const { single, batch } = withoutZeros(unseen(0));
    expect(single.gatewayMicros).toMatchObject({ value: null, by: expect.stringMatching(/^not measured/) });
    expect(batch).toEqual(figures.batch);
  });
});

describe('on another machine', () => {
  it('everything that costs CPU costs as much more or less, and nothing else changes', () => {
    const [here, there] = [capacityOf(fleet, figures), capacityOf(fleet, onMachine(figures, 40))];
    expect(there.cores).toBeCloseTo(here.cores / 2);
    expect(there.connections).toEqual(here.connections);
    expect(there.network).toEqual(here.network);
    expect(there.database.storedTiB).toBe(here.database.storedTiB);
  });
});

describe('the figures of this project', () => {
  const file = join(import.meta.dirname, '../../capacity/measured.json');
  const measured = Measured.parse(JSON.parse(readFileSync(file, 'utf8')));

  it('are whole, and each names what measured it', () => {
    const text = reportOf(
      { ...fleet, vehicles: 10_000_000 },
      capacityOf({ ...fleet, vehicles: 10_000_000 }, measured.figures),
      measured,
    );
    expect(measured.figures).toEqual(withoutZeros(measured.figures));
    expect(text).toContain('10,000,000 vehicles');
    expect(text).toContain(`measured ${measured.date}`);
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });
});

test.each([
  ['10s', 10],
  ['500ms', 0.5],
  ['1.5m', 90],
  ['2h', 7200],
  ['1d', 86_400],
] as const)('%s are %d seconds', (text, seconds) => expect(durationSeconds(text)).toBe(seconds));
test.each(['', '10', 's', '0s', '-1s', '1w', '10 s'])('"%s" is no duration', (text) => {
  expect(durationSeconds(text)).toBeUndefined();
});
