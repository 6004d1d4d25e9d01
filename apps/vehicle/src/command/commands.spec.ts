/** Commands as a whole agent takes them: over a stream and by polls, once, across crashes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { JWS_TYP, sha256Base64url, signJws } from '@outrider/crypto';
import { createTestFleet, issueCommandSigner, type TestFleet } from '@outrider/testing';
import type { TestPlatform } from '../agent/platform.fixture.js';
import { openStateDatabase } from '../agent/state-database.store.js';
import { Vehicle } from '../agent/vehicle.service.js';
import { VehicleGround } from '../agent/vehicle-ground.fixture.js';
import type { ReportedEvent } from '../report/vehicle-event.js';
import { Command } from './command.js';
import { CommandStore } from './command.store.js';
import { claims, commandsOf, ID, OTHER, type SignedCommands } from './signed.fixture.js';

let fleet: TestFleet;
let command: SignedCommands;
let ground: VehicleGround;
let platform: TestPlatform;
let home: string;
let events: ReportedEvent[];

beforeAll(async () => {
  fleet = await createTestFleet();
  command = await commandsOf(fleet);
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

describe('commands', () => {
  it('are carried out once and answered with a signed outcome; offered again, with the very same one', async () => {
    const jws = command();
    platform.offers.push({ id: ID, critical: false, jws }, { id: ID, critical: false, jws });
    await drive({ drive: undefined }, () => platform.outcomes.length === 2, 'two outcomes');
    expect(count('command_executing')).toBe(1);
    const [first, second] = platform.outcomes;
    expect(first).toEqual(second);
    const { result, request_hash, device_id, command_id } = claims(first?.outcome ?? '');
    expect({ result, request_hash, device_id, command_id }).toEqual({
      result: 'succeeded',
      request_hash: sha256Base64url(jws),
      device_id: 'device-1',
      command_id: ID,
    });
  });

  it('that are critical are released against a nonce of the vehicle', async () => {
    platform.offers.push({ id: ID, critical: true, expires_at: 1 });
    platform.release = (_id, nonce) => command({ name: 'unlock', nonce });
    await drive({ drive: undefined }, () => platform.outcomes.length === 1, 'an outcome');
    expect(claims(platform.outcomes[0]?.outcome ?? '')).toMatchObject({ result: 'succeeded' });
    expect(events.find(({ event }) => event === 'effect')).toMatchObject({ name: 'doors', value: 'unlocked' });
  });

  it('get the same nonce after a restart, which alone gets the command released', async () => {
    platform.offers.push({ id: ID, critical: true });
    await drive({ drive: undefined }, () => platform.nonces.length === 1, 'a nonce');
    platform.offers.push({ id: ID, critical: true });
    platform.release = (_id, nonce) => command({ name: 'unlock', nonce });
    await drive({ drive: undefined }, () => platform.outcomes.length === 1, 'an outcome');
    expect(new Set(platform.nonces.map(({ nonce }) => nonce)).size).toBe(1);
  });

  it('that are critical and come without a nonce are refused, and the refusal is signed', async () => {
    platform.offers.push({ id: ID, critical: false, jws: command({ name: 'unlock' }) });
    await drive({ drive: undefined }, () => platform.outcomes.length === 1, 'an outcome');
    expect(claims(platform.outcomes[0]?.outcome ?? '')).toMatchObject({ result: 'refused' });
    expect(names()).not.toContain('command_executing');
  });

  it('of a forger use up no id: the real one is carried out afterwards', async () => {
    const rogue = await createTestFleet();
    const forger = await issueCommandSigner(rogue);
    const x5c = [forger, rogue.controlCa].map(({ certificate }) => Buffer.from(certificate.der).toString('base64'));
    const real = command();
    const forged = signJws({
      header: { typ: JWS_TYP.command, x5c },
      payload: Buffer.from(real.split('.')[1] ?? '', 'base64url'),
      key: forger.privateKey,
    });
    platform.offers.push({ id: ID, critical: false, jws: forged }, { id: ID, critical: false, jws: real });
    await drive({ drive: undefined }, () => platform.outcomes.length === 2, 'two outcomes');
    expect(platform.outcomes.map(({ outcome }) => claims(outcome).result)).toEqual(['refused', 'succeeded']);
  });

  it('that a crash interrupted are answered uncertain, and never carried out again', async () => {
    await (await Vehicle.open(options({ count: 1 }))).run();
    const jws = command();
    const database = openStateDatabase(join(home, 'state'));
    new CommandStore(database).begin(Command.parse(claims(jws)), jws, Date.now());
    database.close();
    platform.offers.push({ id: ID, critical: false, jws });
    await drive(
      { drive: undefined },
      () => platform.outcomes.length >= 1 && platform.offers.length === 0,
      'an outcome',
    );
    expect(platform.outcomes.map(({ outcome }) => claims(outcome).result)).toContain('uncertain');
    expect(names()).not.toContain('command_executing');
  });

  it('set the interval for good', async () => {
    platform.offers.push({
      id: ID,
      critical: false,
      jws: command({ name: 'set-interval', parameters: { seconds: 3600 } }),
    });
    await drive({ drive: undefined }, () => platform.outcomes.length === 1, 'an outcome');
    await drive({ intervalMs: 1 }, () => platform.received.length === 1, 'a sample');
    await sleep(50);
    expect(platform.received).toHaveLength(1);
  });

  it('are taken without the grant for critical ones, too', async () => {
    platform.criticalGranted = false;
    platform.offers.push({ id: ID, critical: false, jws: command() });
    await drive({ drive: undefined }, () => platform.outcomes.length === 1, 'an outcome');
    expect(readFileSync(join(home, 'state', 'identity.json'), 'utf8')).toContain('ldevid-1');
  });
});

describe('the stream', () => {
  it('goes on with a new token when the platform asks for one', async () => {
    await drive({ drive: undefined }, () => platform.streamsOpened === 1, 'a stream');
    platform.offers.push({ id: ID, critical: false, jws: command() });
    const vehicle = await Vehicle.open(options({ drive: undefined }));
    const running = vehicle.run();
    await ground.until(() => platform.outcomes.length === 1, 'an outcome');
    const tokens = platform.tokensGiven;
    platform.askForToken = true;
    await ground.until(() => platform.renewals === 1, 'a new token');
    expect(platform.tokensGiven).toBe(tokens + 1);
    platform.offers.push({ id: OTHER, critical: false, jws: command({ command_id: OTHER, counter: 2 }) });
    await ground.until(() => platform.outcomes.length === 2, 'another outcome');
    expect(platform.streamsOpened).toBe(2);
    vehicle.stop();
    await running;
  });

  it('is opened again when it ends, and polls do where there is none', async () => {
    platform.endStreams = true;
    await drive({ drive: undefined }, () => platform.streamsOpened >= 2, 'another stream');
    platform.streams = false;
    platform.offers.push({ id: ID, critical: false, jws: command() });
    await drive({ drive: undefined }, () => platform.outcomes.length === 1, 'an outcome');
    expect(claims(platform.outcomes[0]!.outcome)).toMatchObject({ result: 'succeeded' });
  });

  it('is opened again when an outcome does not get through, which then goes first and is the same', async () => {
    platform.outcomeStatus = 503;
    const jws = command();
    platform.offers.push({ id: ID, critical: false, jws });
    const vehicle = await Vehicle.open(options({ drive: undefined }));
    const running = vehicle.run();
    await ground.until(() => count('command_done') === 1 && count('offline') === 1, 'a lost outcome');
    platform.outcomeStatus = 200;
    await ground.until(() => count('outcome_delivered') === 1, 'the outcome');
    expect(count('command_executing')).toBe(1);
    vehicle.stop();
    await running;
  });
});

describe('a dry run', () => {
  it('verifies, answers and does nothing; and it stays undone afterwards', async () => {
    const jws = command();
    platform.offers.push({ id: ID, critical: false, jws });
    await drive({ drive: undefined, dryRun: true }, () => platform.outcomes.length === 1, 'an outcome');
    expect(claims(platform.outcomes[0]!.outcome)).toMatchObject({
      result: 'refused',
      detail: 'dry_run: verified, not carried out',
    });
    platform.offers.push({ id: ID, critical: false, jws });
    await drive({ drive: undefined }, () => platform.outcomes.length === 2, 'the same outcome');
    expect(platform.outcomes[1]).toEqual(platform.outcomes[0]);
    expect(names()).not.toContain('command_executing');
  });
});

describe('a counter that the platform has not counted up to', () => {
  it('is told with the refusal', async () => {
    platform.offers.push({ id: ID, critical: false, jws: command({ counter: 9 }) });
    platform.offers.push({ id: OTHER, critical: false, jws: command({ command_id: OTHER, counter: 3 }) });
    await drive({ drive: undefined }, () => platform.outcomes.length === 2, 'two outcomes');
    expect(claims(platform.outcomes[1]!.outcome)).toMatchObject({
      result: 'refused',
      data: { last: { epoch: 0, counter: 9 } },
    });
  });
});

describe('an epoch that the vehicle does not know', () => {
  it('is refused without a nonce, and the platform hears what the vehicle took last', async () => {
    platform.offers.push({ id: ID, critical: false, jws: command({ counter: 9 }) });
    platform.offers.push({ id: OTHER, critical: false, jws: command({ command_id: OTHER, epoch: 1, counter: 1 }) });
    await drive({ drive: undefined }, () => platform.outcomes.length === 2, 'two outcomes');
    expect(claims(platform.outcomes[1]!.outcome)).toMatchObject({
      result: 'refused',
      detail: 'epoch: a higher epoch without a nonce',
      data: { last: { epoch: 0, counter: 9 } },
    });
  });
});
