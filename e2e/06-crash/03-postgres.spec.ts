import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { query } from '../harness/database.js';
import { allReady, allTold, Load } from '../harness/load.js';
import { operator } from '../harness/operator.js';
import { isBack, killHard } from '../harness/processes.js';
import { loot, refusals } from '../harness/theft.js';
import { until } from '../harness/until.js';
import { Vehicle } from '../harness/vehicle.js';

describe('PostgreSQL, killed while a fleet sends', () => {
  let load: Load;

  beforeAll(async () => {
    load = new Load('postgres');
    await load.flows();
  });
  afterAll(async () => {
    await load?.agent.stop();
  });

  it('comes back by itself, and all with it; what is on the denylist stays refused meanwhile', async () => {
    const stolen = await Vehicle.enrol('postgres-stolen');
    const goods = await loot(stolen);
    const body = { thumbprint: await stolen.thumbprint(), reason: 'key-compromise' };
    expect((await operator('revocation', 'POST', '/revoke?wait=enforced', { body })).status).toBe(200);
    const begun = performance.now();
    const former = killHard('postgres');
    const seen = await refusals(stolen, goods, performance.now());
    expect(Object.values(seen).every(({ code }) => code?.startsWith('denylist.'))).toBe(true);
    await until('another postgres', () => isBack('postgres', former), { withinMs: 30_000 });
    await until('it answers', async () => (await query('SELECT 1')).length === 1, { withinMs: 30_000 });
    await allReady();
    await load.flows();
    console.log(`PostgreSQL killed: all ready and sending after ${Math.round(performance.now() - begun)} ms`);
    await refusals(stolen, goods, performance.now());
  });

  it('afterwards the account is in order, and what waited has gone out', async () => {
    const { acknowledged, ...account } = await load.settle();
    expect(account).toEqual({ lost: [], twice: [], refused: [] });
    expect(acknowledged).toBeGreaterThan(load.vehicles * 10);
    await allTold();
  });
});
