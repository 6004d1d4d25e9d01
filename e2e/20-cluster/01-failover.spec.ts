import { afterAll, beforeAll, describe, expect } from '@jest/globals';
// Its hook must be there before the tests begin; what drives the suite comes later.
import '../harness/folder.js';
import { areInstalled, itWith } from '../harness/installed.js';
import { type OwnSuite, startOwnSuite } from '../harness/own-suite.js';

type Ground = typeof import('./ground.js');
const PROGRAMS = ['nats-server', 'curl', 'openssl'] as const;
const test = itWith(PROGRAMS);
const KEPT = { again: '200 duplicate', forged: '409 telemetry.replayed', stored: 1 };

describe('on clusters, while a fleet sends', () => {
  let suite: OwnSuite;
  let ground: Ground;
  let load: InstanceType<Ground['Load']>;
  let before: Awaited<ReturnType<Ground['revoke']>>;

  beforeAll(async () => {
    if (!areInstalled(PROGRAMS)) return;
    suite = await startOwnSuite({ OUTRIDER_CLUSTER: '1' });
    ground = await import('./ground.js');
    load = new ground.Load('cluster', 4, '200ms');
    await load.flows();
    before = await ground.revoke(await ground.robbed('cluster-before'));
  }, 600_000);
  afterAll(async () => {
    await load?.agent.stop();
    await suite?.stop();
  }, 180_000);

  test('every stream is kept by three nodes, and commits wait for the standby', async () => {
    for (const stream of ['EVENTS', 'KV_DENYLIST', 'KV_DENYLIST_SNAPSHOT', 'KV_INSTANCES', 'KV_POLICIES'])
      await ground.until(`${stream} is whole`, async () => (await ground.nodesOf(stream)).current.length === 2);
    expect(await ground.isSynchronous()).toBe(true);
  });

  test('the NATS node that leads the denylist is lost: the others go on', async () => {
    const { leader = '' } = await ground.nodesOf('KV_DENYLIST');
    const robbed = await ground.robbed('cluster-during');
    const replayed = await ground.Replayed.accepted('cluster-nats');
    const begun = performance.now();
    const { place, former } = await ground.loseNode(leader);
    try {
      // Acknowledged, whoever leads: PostgreSQL has it, and all learn of it.
      await (await ground.revoke(robbed)).refused();
      const refusedAfter = since(begun);
      await before.refused();
      await load.flows();
      expect(await replayed.outcome()).toEqual(KEPT);
      const enforcedMs = await ground.fastAgain('cluster-after-nats');
      const again = await ground.nodesOf('KV_DENYLIST');
      expect(again.leader).not.toBe(leader);
      console.log(
        `${leader} killed: one revoked at once is refused everywhere ${refusedAfter} after the kill; then a revocation is enforced in ${enforcedMs} ms`,
      );
    } finally {
      await ground.leavePort(place);
    }
    await ground.caughtUp(leader, former, 'EVENTS');
  });

  test('the NATS node that leads the events is lost: what was accepted is published', async () => {
    const { leader = '' } = await ground.nodesOf('EVENTS');
    const former = ground.killHard(leader);
    await load.flows();
    await ground.allTold();
    await ground.caughtUp(leader, former, 'EVENTS');
    await before.refused();
  });

  test('PostgreSQL is lost: nothing is acknowledged until the standby is the primary, and then all goes on', async () => {
    const replayed = await ground.Replayed.accepted('cluster-postgres');
    const token = await replayed.token();
    const begun = performance.now();
    ground.killHard('postgres');
    expect(await replayed.sendNew(token)).toEqual({ status: 503, retryAfter: expect.stringMatching(/^\d+$/) });
    await before.refused();
    await ground.promoteStandby();
    await load.flows();
    const flowsMs = since(begun);
    expect(await replayed.outcome()).toEqual(KEPT);
    await before.refused();
    const enforcedMs = await ground.fastAgain('cluster-after-postgres');
    await ground.allReady();
    console.log(`PostgreSQL killed: the fleet sends after ${flowsMs}; a revocation is enforced in ${enforcedMs} ms`);
  });

  test('afterwards the account is in order, and every accepted message is published', async () => {
    const { acknowledged, ...account } = await load.settle();
    expect(account).toEqual({ lost: [], twice: [], refused: [] });
    expect(acknowledged).toBeGreaterThan(load.vehicles * 10);
    await ground.allTold();
    const told = load.agent.acknowledged();
    const counts = await ground.publishedCounts('telemetry.message.accepted.v1.>');
    for (const [device, seqs] of told)
      expect(counts.get(`telemetry.message.accepted.v1.${device}`) ?? 0).toBeGreaterThanOrEqual(seqs.size);
    console.log(`${acknowledged} messages acknowledged, all of them kept`);
  });
});

function since(begun: number): string {
  return `${Math.round(performance.now() - begun)} ms`;
}
