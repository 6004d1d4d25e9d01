/** A command in an agent that dies in the midst of it: at most once, and what it says of it afterwards is so. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sha256Base64url } from '@outrider/crypto';
import { createTestFleet, type TestFleet } from '@outrider/testing';
import type { TestPlatform } from '../agent/platform.fixture.js';
import { openStateDatabase } from '../agent/state-database.store.js';
import { Vehicle } from '../agent/vehicle.service.js';
import { VehicleGround } from '../agent/vehicle-ground.fixture.js';
import { Command } from './command.js';
import { CommandStore } from './command.store.js';
import { claims, commandsOf, ID, type SignedCommands } from './signed.fixture.js';

let fleet: TestFleet;
let command: SignedCommands;
let ground: VehicleGround;
let platform: TestPlatform;
let home: string;

beforeAll(async () => {
  fleet = await createTestFleet();
  command = await commandsOf(fleet);
});
beforeEach(async () => {
  ground = await VehicleGround.start(fleet);
  ({ platform, home } = ground);
});
afterEach(() => ground.stop());

const options: VehicleGround['options'] = (given) => ground.options(given);
const drive: VehicleGround['drive'] = (given, condition, what) => ground.drive(given, condition, what);
const names = (): string[] => ground.names();

describe('killed with -9, in a process of its own', () => {
  /** A plug-in that writes down each time it is carried out, and dies once, at `moment` of it. */
  function plugIn(afterCrash: 'uncertain' | 'repeatable'): string {
    const folder = join(home, 'handlers');
    mkdirSync(folder, { recursive: true });
    const log = join(home, 'carried-out');
    const killed = join(home, 'killed');
    writeFileSync(
      join(folder, 'wipe.mjs'),
      `import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
       export default { name: 'wipe', critical: false, afterCrash: '${afterCrash}', carryOut() {
         appendFileSync('${log}', 'once ');
         if (!existsSync('${killed}')) { writeFileSync('${killed}', ''); process.kill(process.pid, 'SIGKILL'); }
         return { result: 'succeeded', detail: 'wiped' };
       } };`,
    );
    return folder;
  }

  async function runAgent(handlers: string): Promise<ReturnType<typeof fork>> {
    const { stateDirectory, factoryDirectory, platform: known } = options();
    const file = (name: string, content: string) => {
      writeFileSync(join(home, name), content);
      return join(home, name);
    };
    const { origin } = platform;
    const vehicle = Object.fromEntries(
      ['provisioning', 'token', 'telemetry', 'command'].map((name) => [name, { vehicle: origin }]),
    );
    const trust = { server: file('server.pem', known.serverTrust), fleetRoot: file('root.pem', known.fleetRoot) };
    const endpoints = file('endpoints.json', JSON.stringify({ trust, services: vehicle }));
    const main = fileURLToPath(new URL('../main.js', import.meta.url));
    const args = ['run', '--state', stateDirectory, '--factory', factoryDirectory, '--endpoints', endpoints];
    return fork(main, [...args, '--handlers', handlers, '--interval', '1s'], { stdio: 'ignore', execArgv: [] });
  }

  it.each([
    ['uncertain', 'uncertain', 'interrupted while it was carried out', 'once '],
    ['repeatable', 'succeeded', 'carried out again after a crash: wiped', 'once once '],
  ] as const)('in the midst of what is %s: it says %s', async (afterCrash, result, detail, carriedOut) => {
    const handlers = plugIn(afterCrash);
    const jws = command({ name: 'wipe' });
    platform.offers.push({ id: ID, critical: false, jws });
    const first = await runAgent(handlers);
    const [, signal] = await once(first, 'exit');
    expect(signal).toBe('SIGKILL');
    platform.offers.push({ id: ID, critical: false, jws });
    const second = await runAgent(handlers);
    try {
      await ground.until(() => platform.outcomes.length >= 1 && platform.offers.length === 0, 'an outcome');
    } finally {
      second.kill();
      await once(second, 'exit');
    }
    expect(new Set(platform.outcomes.map(({ outcome }) => outcome)).size).toBe(1);
    expect(claims(platform.outcomes[0]!.outcome)).toMatchObject({ result, detail, request_hash: sha256Base64url(jws) });
    expect(readFileSync(join(home, 'carried-out'), 'utf8')).toBe(carriedOut);
  });

  it('after it was carried out and before its outcome was signed: it says what came of it, and that it is late', async () => {
    await (await Vehicle.open(options({ count: 1 }))).run();
    const jws = command();
    const database = openStateDatabase(join(home, 'state'));
    const store = new CommandStore(database);
    store.begin(Command.parse(claims(jws)), jws, Date.now());
    store.finish(ID, { result: 'succeeded', detail: 'honked', time: 1_800_000_000 }, {});
    database.close();
    await drive({ drive: undefined }, () => platform.outcomes.length === 1, 'an outcome');
    expect(claims(platform.outcomes[0]!.outcome)).toMatchObject({
      result: 'succeeded',
      detail: 'executed, outcome late after a crash: honked',
      time: 1_800_000_000,
    });
    expect(names()).not.toContain('command_executing');
  });
});
