import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestFleet, type TestFleet } from '@outrider/testing';
import { VehicleGround } from './vehicle-ground.fixture.js';

let fleet: TestFleet;
let ground: VehicleGround;

beforeAll(async () => {
  fleet = await createTestFleet();
}, 60_000);
beforeEach(async () => {
  ground = await VehicleGround.start(fleet);
});
afterEach(async () => {
  await ground.stop();
});

/** The window that the platform tells with each answer. */
function tell(window: object): void {
  ground.platform.telemetryWindows = () => [
    { stream: 'main', epoch: 0, highest: 0, missing: [], minEpoch: 0, ...window },
  ];
}

const numbers = () => ground.platform.received.map(({ seq }) => seq);

describe('a gap that the platform names', () => {
  it('is filled from the queue with what was sent before, at once and in order, and only with that', async () => {
    const { platform } = ground;
    let forgotten = false;
    platform.telemetryWindows = () => {
      const highest = Math.max(0, ...numbers());
      if (highest >= 6 && !forgotten) {
        forgotten = true;
        platform.received.splice(1, 3);
      }
      const missing = forgotten && !numbers().includes(4) ? [[2, 4]] : [];
      return [{ stream: 'main', epoch: 0, highest, missing, minEpoch: 0 }];
    };
    await ground.drive({}, () => numbers().includes(4) && forgotten, 'the gap is filled');
    expect(ground.events.find(({ event }) => event === 'resent')).toMatchObject({ count: 3, gaps: '[[2,4]]' });
    const again = platform.received.filter(({ seq }) => seq >= 2 && seq <= 4);
    expect(again.map(({ seq }) => seq)).toEqual([2, 3, 4]);
    expect(again.every(({ verified }) => verified)).toBe(true);
    expect(new Set(numbers()).size).toBe(numbers().length);
  });

  it('that nothing fills does not keep the vehicle sending the same for ever', async () => {
    tell({ missing: [[1, 2]] });
    await ground.drive({}, () => ground.platform.received.length >= 30, 'thirty records are taken');
    expect(ground.count('resent')).toBeLessThanOrEqual(5);
    expect(Math.max(...numbers())).toBeGreaterThanOrEqual(30);
  });
});

describe('an epoch that the platform opens', () => {
  it('is followed by itself, from its first number on', async () => {
    const { platform } = ground;
    const refuse = () => numbers().length >= 3 && ground.count('epoch_raised') === 0;
    platform.verdict = () => (refuse() ? 'stale_epoch' : 'accepted');
    platform.telemetryWindows = () => [
      { stream: 'main', epoch: refuse() ? 4 : 0, highest: 0, missing: [], minEpoch: refuse() ? 4 : 0 },
    ];
    const acceptedSince = () => ground.names().slice(ground.names().indexOf('epoch_raised')).includes('accepted');
    await ground.drive({}, () => ground.count('epoch_raised') === 1 && acceptedSince(), 'it goes on');
    expect(ground.events.find(({ event }) => event === 'epoch_raised')).toMatchObject({
      epoch: 4,
      why: 'platform_asks',
    });
    const raised = ground.events.findIndex(({ event }) => event === 'epoch_raised');
    // The test's platform knows numbers alone: what it has of the epoch before is a duplicate to it.
    const taken = ({ event }: { event: string }) => event === 'accepted' || event === 'duplicate';
    expect(ground.events.slice(raised).find(taken)).toMatchObject({ seq: 1 });
  });

  it('is waited for while the platform has none yet: nothing is given up, nothing lost', async () => {
    const { platform } = ground;
    platform.telemetryStatus = 503;
    await ground.drive({ count: 5 }, () => ground.count('offline') === 1, 'the vehicle waits');
    expect(ground.count('held') + ground.count('refused')).toBe(0);
    platform.telemetryStatus = undefined;
    await ground.drive({ count: 1 }, () => numbers().length >= 2, 'what waited is sent');
    expect(numbers()[0]).toBe(1);
  });
});
