import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestFleet, type TestFleet } from '@outrider/testing';
import type { ReportedEvent } from '../report/vehicle-event.js';
import type { TestPlatform } from './platform.fixture.js';
import { Vehicle } from './vehicle.service.js';
import { VehicleGround } from './vehicle-ground.fixture.js';

let fleet: TestFleet;
let ground: VehicleGround;
let platform: TestPlatform;
let home: string;
let events: ReportedEvent[];

beforeAll(async () => {
  fleet = await createTestFleet();
});
beforeEach(async () => {
  ground = await VehicleGround.start(fleet);
  ({ platform, home, events } = ground);
});
afterEach(() => ground.stop());

const options: VehicleGround['options'] = (given) => ground.options(given);
const until: VehicleGround['until'] = (condition, what) => ground.until(condition, what);
const drive: VehicleGround['drive'] = (given, condition, what) => ground.drive(given, condition, what);
const names = (): string[] => ground.names();
const count = (name: string): number => ground.count(name);

describe('renewal', () => {
  it('comes ahead of expiry, with a new key, over the certificate in force; the stream goes on', async () => {
    platform.certificateSeconds = 6;
    await drive({}, () => count('renewed') >= 1 && platform.received.length > 20, 'a renewal');
    expect(platform.requests.slice(0, 2).map(({ operation }) => operation)).toEqual(['simpleenroll', 'simplereenroll']);
    expect(platform.requests[0]?.body).not.toBe(platform.requests[1]?.body);
    expect(platform.received.map(({ seq }) => seq)).toEqual(platform.received.map((_, index) => index + 1));
  });

  it('names the older certificate on what it had signed', async () => {
    platform.certificateSeconds = 6;
    platform.telemetryStatus = 503;
    await drive({}, () => count('renewed') >= 1, 'a renewal');
    platform.telemetryStatus = undefined;
    platform.certificateSeconds = 3600;
    await drive({}, () => platform.received.length > 0, 'the queue to be sent');
    const first = events.find(({ event }) => event === 'enrolled') as { thumbprint?: string } | undefined;
    expect(platform.received[0]).toMatchObject({ seq: 1, kid: first?.thumbprint, verified: false });
  });

  it('is one even though the fleet certificate has lapsed, where the platform has a grace', async () => {
    platform.certificateSeconds = 4;
    await (await Vehicle.open(options({ count: 1 }))).run();
    await sleep(4_100);
    platform.certificateSeconds = 3600;
    platform.grace = true;
    await drive({}, () => count('renewed') === 1, 'a renewal');
    expect(platform.requests.map(({ operation }) => operation)).toEqual(['simpleenroll', 'simplereenroll']);
  });

  it('is an enrolment with the factory certificate when the fleet certificate has lapsed and the platform says so', async () => {
    platform.certificateSeconds = 4;
    await (await Vehicle.open(options({ count: 1 }))).run();
    await sleep(4_100);
    platform.certificateSeconds = 3600;
    await drive({}, () => count('enrolled') === 2, 'another enrolment');
    const asked = platform.requests.map(({ operation }) => operation);
    expect(asked).toEqual(['simpleenroll', 'simplereenroll', 'simpleenroll']);
    expect(platform.requests[1]?.body).toBe(platform.requests[2]?.body);
    expect(existsSync(join(home, 'state', 'keys', 'ldevid-2.key'))).toBe(true);
  });
});

describe('renewal when the platform says', () => {
  const window = (fromMs: number, toMs: number) => {
    const [start, end] = [fromMs, toMs].map((ms) => new Date(Date.now() + ms).toISOString());
    return { status: 200, body: { suggestedWindow: { start, end } }, retryAfter: 1 };
  };

  it('follows a window that moves to now, over the certificate in force; the stream goes on', async () => {
    platform.certificateSeconds = 60;
    platform.renewalInfo = () => window(20_000, 30_000);
    const vehicle = await Vehicle.open(options());
    const running = vehicle.run();
    try {
      await until(() => count('renewal_window') === 1, 'a window');
      platform.renewalInfo = () => (count('renewed') === 0 ? window(-1000, 1000) : window(20_000, 30_000));
      await until(() => count('renewed') === 1, 'a renewal');
      const sent = platform.received.length;
      await until(() => platform.received.length > sent + 5, 'telemetry to go on');
    } finally {
      vehicle.stop();
      await running;
    }
    expect(platform.requests.map(({ operation }) => operation)).toEqual(['simpleenroll', 'simplereenroll']);
    expect(new Set(platform.renewalQuestions).size).toBe(2);
    expect(platform.received.map(({ seq }) => seq)).toEqual(platform.received.map((_, index) => index + 1));
    expect(names()).not.toContain('failed');
    expect(names()).not.toContain('offline');
  });

  it('keeps to the window and to its place in it over a restart, with nobody there to ask', async () => {
    platform.certificateSeconds = 60;
    platform.renewalInfo = () => window(1500, 2500);
    await drive({}, () => count('renewal_window') === 1, 'a window');
    const first = events.find(({ event }) => event === 'renewal_window');
    events.length = 0;
    platform.renewalInfo = () => ({ status: 503, body: {} });
    await drive({}, () => count('renewed') === 1, 'a renewal');
    const said = events.find(({ event }) => event === 'no_renewal_info');
    expect(said).toMatchObject({ why: 'http.503', renewAt: (first as { renewAt?: string }).renewAt });
  });

  it('goes by its own rule where the platform has no renewal information', async () => {
    platform.certificateSeconds = 6;
    await drive({}, () => count('renewed') === 1, 'a renewal');
    expect(events.find(({ event }) => event === 'no_renewal_info')).toMatchObject({ why: 'http.404' });
  });
});
