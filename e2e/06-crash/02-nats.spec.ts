import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { endpoints } from '../harness/endpoints.js';
import { publishedCounts } from '../harness/events.js';
import { allReady, allTold, Load } from '../harness/load.js';
import { operator } from '../harness/operator.js';
import { outriderJson } from '../harness/outrider.js';
import { isBack, killHard } from '../harness/processes.js';
import { leavePort, takePort } from '../harness/take-port.js';
import { attempt, isRefused, type Loot, loot, openConnection, refusals } from '../harness/theft.js';
import { sleep, until } from '../harness/until.js';
import { Vehicle } from '../harness/vehicle.js';

const OUTAGE_MS = 4000;

describe('NATS, killed while a fleet sends', () => {
  let load: Load;
  let stolen: Vehicle;
  let goods: Loot;

  beforeAll(async () => {
    load = new Load('nats');
    stolen = await Vehicle.enrol('nats-stolen');
    goods = await loot(stolen);
    await load.flows();
  });
  afterAll(async () => {
    await load?.agent.stop();
  });

  it('comes back by itself, and all with it', async () => {
    const begun = performance.now();
    const former = killHard('nats');
    await load.flows();
    await until('another nats', () => isBack('nats', former), { withinMs: 20_000 });
    await allReady();
    console.log(`NATS killed: all ready after ${Math.round(performance.now() - begun)} ms`);
  });

  it('while it is away telemetry is accepted; a revocation is acknowledged, and enforced once it is back', async () => {
    const connection = await openConnection(stolen, 'telemetry');
    const former = killHard('nats');
    const place = await takePort(Number(new URL(endpoints.nats.url).port));
    try {
      const answer = await operator('revocation', 'POST', '/revoke', {
        body: { thumbprint: await stolen.thumbprint(), reason: 'key-compromise' },
      });
      expect({ status: answer.status, revoked: answer.body.revoked }).toMatchObject({
        status: 200,
        revoked: [{ device_id: stolen.id }],
      });
      expect(
        answer.body.pending.map(({ instance }: { instance: string }) => instance.replace(/-[0-9a-f]+$/, '')),
      ).toEqual(expect.arrayContaining(['provisioning', 'token', 'telemetry', 'command']));
      await load.flows();
      await sleep(OUTAGE_MS);
      // Nobody could be told yet: that is what makes the end of this test worth something.
      expect(isRefused((await attempt(stolen, goods)).telemetry)).toBe(false);
    } finally {
      await leavePort(place);
    }
    await until('another nats', () => isBack('nats', former) && natsAnswers(), { withinMs: 30_000 });
    const sinceMs = performance.now();
    const seen = await refusals(stolen, goods, sinceMs, 15_000);
    await connection.closed;
    console.log(
      `revoked while NATS was away: refused everywhere ${Math.round(Math.max(...Object.values(seen).map(({ ms }) => ms)))} ms after its return`,
    );
    await allReady();
    await until('the registry knows', async () => {
      const { state } = await outriderJson<{ state: string }>('device', 'show', stolen.id);
      return state === 'awaiting_recovery';
    });
  });

  it('afterwards the account is in order, and every accepted message is published', async () => {
    await load.flows();
    const { acknowledged, ...account } = await load.settle();
    expect(account).toEqual({ lost: [], twice: [], refused: [] });
    const told = load.agent.acknowledged();
    await until('every accepted message was published', async () => {
      const counts = await publishedCounts('telemetry.message.accepted.v1.>');
      return [...told].every(
        ([device, seqs]) => (counts.get(`telemetry.message.accepted.v1.${device}`) ?? 0) >= seqs.size,
      );
    });
    expect(acknowledged).toBeGreaterThan(load.vehicles * 10);
    await allTold();
  });
});

async function natsAnswers(): Promise<boolean> {
  return publishedCounts('revocation.>').then(
    () => true,
    () => false,
  );
}
