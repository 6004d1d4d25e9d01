/** A backup of the running suite is restored a while later: nothing that was taken out of service comes back, and nothing is counted twice. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { query } from '../harness/database.js';
import { file, inFolder } from '../harness/folder.js';
import { allReady, allTold, Load } from '../harness/load.js';
import { operator, plain } from '../harness/operator.js';
import { outriderJson } from '../harness/outrider.js';
import { backUp, restore, startSuite, stopSuite } from '../harness/restart-suite.js';
import { must } from '../harness/run.js';
import { loot, refusals } from '../harness/theft.js';
import { until } from '../harness/until.js';
import { Vehicle } from '../harness/vehicle.js';

/** It stops the suite, so only where that is nobody else's: `npm run e2e:upgrade`. */
const isOwn = process.env.OUTRIDER_E2E_UPGRADE === '1';
const PATIENCE_MS = 300_000;
const RESTART_MS = 900_000;

(isOwn ? describe : describe.skip)('a restored backup (npm run e2e:upgrade)', () => {
  let load: Load;
  let [stolen, late]: Vehicle[] = [];
  let device: string;
  let data: string;
  let list: { readonly path: string; readonly number: bigint };
  const backup = inFolder('backup');

  beforeAll(async () => {
    load = new Load('restored', 2, '500ms');
    stolen = await Vehicle.enrol('restored-stolen');
    await load.flows(PATIENCE_MS);
    device = load.agent.of('accepted')[0]?.device as string;
  }, PATIENCE_MS);
  afterAll(async () => {
    await load?.agent.stop();
    rmSync(backup, { recursive: true, force: true });
  });

  const honk = async () => {
    const { id } = await outriderJson('command', 'send', device, 'honk');
    let state = '';
    await until(
      'the command is answered',
      async () => {
        state = (await operator('command', 'GET', `/v1/commands/${id}`)).body.state;
        return !['queued', 'offered', 'challenged', 'released'].includes(state);
      },
      { withinMs: 60_000 },
    );
    return state;
  };
  const counter = async () => {
    const [row] = await query<{ epoch: number; counter: string }>(
      'SELECT epoch, counter FROM command.counters WHERE device_id = $1',
      [device],
    );
    return row && { epoch: row.epoch, counter: Number(row.counter) };
  };
  const numberOf = async (path: string) => {
    const { bytes } = await plain('revocation', path);
    const der = file('list.crl', bytes);
    const { stdout } = await must('openssl', ['crl', '-inform', 'DER', '-in', der, '-noout', '-crlnumber']);
    return BigInt(stdout.trim().replace(/^crlNumber=/, ''));
  };

  it(
    'is taken while the fleet sends',
    async () => {
      expect(await honk()).toBe('succeeded');
      data = await backUp(backup);
    },
    PATIENCE_MS,
  );

  it(
    'then much happens: a vehicle is revoked, another enrols, telemetry and commands go on',
    async () => {
      const goods = await loot(stolen!);
      const body = { thumbprint: await stolen!.thumbprint(), reason: 'key-compromise' };
      expect((await operator('revocation', 'POST', '/revoke?wait=enforced', { body })).status).toBe(200);
      await refusals(stolen!, goods, performance.now());
      late = await Vehicle.enrol('restored-late');
      for (const _ of [1, 2]) expect(await honk()).toBe('succeeded');
      expect(await counter()).toEqual({ epoch: 1, counter: 3 });
      await load.flows();
      const { stdout } = await must('openssl', [
        'x509',
        '-in',
        stolen!.certificate,
        '-noout',
        '-ext',
        'crlDistributionPoints',
      ]);
      const path = /URI:https?:\/\/[^/]+(\S+)/.exec(stdout)?.[1] as string;
      list = { path, number: await numberOf(path) };
      await allTold();
    },
    PATIENCE_MS,
  );

  it(
    'is restored, with NATS left as it is',
    async () => {
      await stopSuite();
      await restore(backup, data);
      await startSuite();
      await allReady(PATIENCE_MS);
      // It is the old one: what came after it is not there.
      expect(await counter()).toEqual({ epoch: 1, counter: 1 });
      const rows = await query('SELECT 1 FROM revocation.revocations WHERE device_id = $1', [stolen!.id]);
      expect(rows).toEqual([]);
    },
    RESTART_MS,
  );

  it(
    'un-revokes nothing',
    async () => {
      const seen = await refusals(stolen!, { telemetry: 'none', control: 'none', renewal: 'none' }, performance.now());
      for (const { code } of Object.values(seen)) expect(code).toMatch(/^denylist\./);
      expect((await stolen!.askToken()).status).toBeGreaterThanOrEqual(400);
    },
    PATIENCE_MS,
  );

  it(
    'takes no sequence number a second time: the vehicles wait for a new epoch, and go on in it',
    async () => {
      const held = await operator('telemetry', 'GET', '/v1/epochs/held');
      expect(JSON.stringify(held.body)).toContain(device);
      await outriderJson('telemetry', 'epoch', 'open', '--held', '--reason', 'restored in a test');
      await load.flows(PATIENCE_MS);
      const epochs = await query<{ epoch: number }>(
        'SELECT DISTINCT epoch FROM telemetry.messages WHERE device_id = $1 ORDER BY epoch',
        [device],
      );
      expect(epochs.map(({ epoch }) => epoch)).toEqual([0, 1]);
    },
    PATIENCE_MS,
  );

  it(
    'makes no vehicle carry out a command by an old number: the vehicle says what it had, and a new epoch begins',
    async () => {
      const states: string[] = [];
      await until(
        'a command is carried out again',
        async () => {
          states.push(await honk());
          return states.at(-1) === 'succeeded';
        },
        { withinMs: PATIENCE_MS },
      );
      expect(states).toEqual([...states.slice(0, -1).map(() => 'refused'), 'succeeded']);
      expect((await counter())?.epoch).toBe(2);
    },
    PATIENCE_MS,
  );

  it(
    'has lists with higher numbers',
    async () => {
      await until('a list above the last', async () => (await numberOf(list.path)) > list.number, {
        withinMs: PATIENCE_MS,
      });
    },
    PATIENCE_MS,
  );

  it('knows nothing of who enrolled after it, and lets an operator put that right', async () => {
    const answer = await operator('provisioning', 'GET', `/v1/devices/${late!.id}`);
    expect(answer.status).toBe(404);
  });
});
