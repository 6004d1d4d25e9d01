import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestFleet, crossRoots, issue, type Party, type TestFleet } from '@outrider/testing';
import type { ReportedEvent } from '../report/vehicle-event.js';
import type { TestPlatform } from './platform.fixture.js';
import { Vehicle, type VehicleOptions } from './vehicle.service.js';
import { VehicleGround } from './vehicle-ground.fixture.js';

const YEAR_MS = 365 * 86_400_000;
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
const drive: VehicleGround['drive'] = (given, condition, what) => ground.drive(given, condition, what);
const names = (): string[] => ground.names();
const count = (name: string): number => ground.count(name);

describe.each(['P-256', 'Ed25519'] as const)('a vehicle with a %s key', (keyType) => {
  it('enrols, fetches a token and sends signed telemetry in order; its count done, it ends', async () => {
    await (await Vehicle.open(options({ count: 5, keyType }))).run();
    expect(platform.received.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    expect(platform.received.every(({ verified, kid }) => verified && kid === undefined)).toBe(true);
    expect(platform.received[0]?.telemetry).toMatchObject({ simulated: true });
    expect(names().slice(0, 3)).toEqual(['started', 'enrolled', 'token']);
    expect(events.at(-1)).toMatchObject({
      event: 'stopped',
      device: 'device-1',
      queued: 0,
      sent: 5,
      held: 0,
      refused: 0,
    });
  });
});

describe('its state', () => {
  it('is readable by its owner alone', async () => {
    await (await Vehicle.open(options({ count: 1 }))).run();
    const state = join(home, 'state');
    expect(statSync(join(state, 'keys')).mode & 0o777).toBe(0o700);
    expect(statSync(join(state, 'keys', 'ldevid-1.key')).mode & 0o777).toBe(0o600);
    expect(readdirSync(state).some((name) => name.endsWith('.new'))).toBe(false);
  });

  it('carries on where it was: the same certificate, the next number', async () => {
    await (await Vehicle.open(options({ count: 2 }))).run();
    await (await Vehicle.open(options({ count: 2 }))).run();
    expect(platform.requests).toHaveLength(1);
    expect(platform.received.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  it('begins a new epoch when the platform is ahead of it', async () => {
    platform.windows = [{ stream: 'main', epoch: 0, highest: 900, missing: [], minEpoch: 0 }];
    await (await Vehicle.open(options({ count: 1 }))).run();
    expect(events.find(({ event }) => event === 'epoch_raised')).toMatchObject({ epoch: 1, why: 'state_lost' });
  });
});

describe('a stop', () => {
  it('ends it at once, also before it has begun or was ever enrolled', async () => {
    platform.loseEnrolments = 1_000;
    const vehicle = await Vehicle.open(options());
    vehicle.stop();
    await vehicle.run();
    expect(names().at(-1)).toBe('stopped');
  });
});

describe('enrolment', () => {
  it('waits while an operator is asked, and asks again with the same bytes', async () => {
    platform.holdEnrolments = 2;
    await drive({}, () => count('enrolled') === 1, 'an enrolment');
    expect(platform.requests.length).toBe(3);
    expect(new Set(platform.requests.map(({ body }) => body)).size).toBe(1);
    expect(count('awaiting_approval')).toBe(1);
    expect(names()).not.toContain('failed');
  });

  it('asks again with the same key and the same bytes when the answer is lost', async () => {
    platform.loseEnrolments = 2;
    await (await Vehicle.open(options({ count: 1 }))).run();
    expect(platform.requests).toHaveLength(3);
    expect(new Set(platform.requests.map(({ body }) => body)).size).toBe(1);
    expect(names()).toContain('offline');
  });

  it('asks again with the same bytes after the process was stopped in between', async () => {
    platform.loseEnrolments = 1_000;
    await drive({}, () => platform.requests.length > 0, 'an enrolment');
    platform.loseEnrolments = 0;
    await (await Vehicle.open(options({ count: 1 }))).run();
    expect(new Set(platform.requests.map(({ body }) => body)).size).toBe(1);
  });

  it('sends nothing to a server that the pinned anchors do not vouch for', async () => {
    const stranger = await createTestFleet();
    const trust = { ...options().platform, serverTrust: stranger.root.certificatePem };
    await drive({ platform: trust }, () => names().includes('offline'), 'a refusal');
    expect(events.find(({ event }) => event === 'offline')).toMatchObject({ kind: 'untrusted' });
    expect(platform.requests).toHaveLength(0);
  });
});

describe('the roots', () => {
  /** The vehicle knows another root, which began then; the platform may have come to this fleet's. */
  async function pinned(beganMs = Date.now() - YEAR_MS): Promise<[Party, Partial<VehicleOptions>]> {
    const before = await issue('root', 'self', {
      name: 'Test Fleet Root',
      keyType: 'P-384',
      notBefore: new Date(beganMs),
    });
    const { certificatePem } = before;
    return [before, { platform: { ...options().platform, serverTrust: certificatePem, fleetRoot: certificatePem } }];
  }
  const rootsLearned = () => events.filter(({ event }) => event === 'root_learned');

  it('learns a new one that the old one vouches for, though no server is believed yet; and remembers it', async () => {
    const [before, given] = await pinned();
    platform.cas = [fleet.root.certificate, await crossRoots(fleet.root, before)];
    // Asked again over a believed connection, the platform names the old one no more.
    await drive(given, () => count('accepted') > 0 && count('root_given_up') > 0, 'the new root alone');
    const told = ['offline', 'root_learned', 'root_given_up'].map((name) => names().indexOf(name));
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(rootsLearned()).toMatchObject([{ thumbprint: fleet.root.certificate.thumbprint }]);
    events.length = 0;
    platform.cas = [];
    await drive(given, () => count('accepted') > 0, 'telemetry');
    expect([count('offline'), count('failed'), count('root_given_up')]).toEqual([0, 0, 0]);
  });

  it('learns none from a server that is not believed and has no word of the old root', async () => {
    const [, given] = await pinned();
    const stranger = await createTestFleet();
    platform.cas = [fleet.root.certificate, await crossRoots(fleet.root, stranger.root), stranger.root.certificate];
    await drive(given, () => count('offline') > 0, 'a failure');
    await sleep(300);
    expect(rootsLearned()).toEqual([]);
    expect(platform.requests).toEqual([]);
  });

  it('goes back to no root that its own took the place of, though that one vouched for it', async () => {
    const [young, given] = await pinned(Date.now());
    platform.cas = [fleet.root.certificate, await crossRoots(fleet.root, young)];
    await drive(given, () => count('offline') > 0, 'a failure');
    await sleep(300);
    expect(rootsLearned()).toEqual([]);
    expect(platform.requests).toEqual([]);
  });

  it('takes an answer that names no authority for none', async () => {
    platform.cas = [];
    await drive({}, () => count('accepted') > 5, 'telemetry');
    expect([rootsLearned(), count('root_given_up')]).toEqual([[], 0]);
  });
});

describe('the queue', () => {
  it('outlives a platform that is away, and is sent in order and in batches when it is back', async () => {
    platform.telemetryStatus = 503;
    await drive({ intervalMs: 1 }, () => names().includes('offline'), 'the platform to be away');
    await sleep(100);
    platform.telemetryStatus = undefined;
    await (await Vehicle.open(options({ count: 1 }))).run();
    expect(platform.received.map(({ seq }) => seq)).toEqual(platform.received.map((_, index) => index + 1));
    expect(Math.max(...platform.batches)).toBeGreaterThan(1);
    expect(events.at(-1)).toMatchObject({ event: 'stopped', queued: 0 });
  });

  it('sends again what the platform may have taken: a duplicate is as good as accepted', async () => {
    platform.cutTelemetry = 1;
    platform.cutAfter = true;
    await (await Vehicle.open(options({ count: 2 }))).run();
    expect(names()).toContain('duplicate');
    expect(events.at(-1)).toMatchObject({ sent: 2, queued: 0 });
  });

  it('holds what is too old, sets aside what is refused, and goes on with the rest', async () => {
    platform.verdict = (seq) => ({ 1: 'skewed', 2: 'replayed' })[seq] ?? 'accepted';
    await (await Vehicle.open(options({ count: 4 }))).run();
    expect(events.at(-1)).toMatchObject({ event: 'stopped', sent: 2, held: 1, refused: 1, queued: 0 });
    expect(events.find(({ event }) => event === 'refused')).toMatchObject({ seq: 2, code: 'telemetry.replayed' });
  });

  it('finds the one record that nobody can read, and sends those around it', async () => {
    platform.telemetryStatus = 503;
    await drive({ intervalMs: 1 }, () => names().includes('offline'), 'the platform to be away');
    platform.telemetryStatus = 400;
    await drive({}, () => names().includes('refused'), 'a record to be set aside');
    platform.telemetryStatus = undefined;
    await (await Vehicle.open(options({ count: 1 }))).run();
    expect(platform.received.length).toBeGreaterThan(0);
    expect(events.at(-1)).toMatchObject({ queued: 0 });
  });

  it('asks for another token when the platform refuses the one it has', async () => {
    platform.refuseTokens = 2;
    await (await Vehicle.open(options({ count: 1, takesCommands: false }))).run();
    expect(platform.tokensGiven).toBeGreaterThan(1);
    expect(events.at(-1)).toMatchObject({ sent: 1 });
  });
});
