import { afterAll, describe, expect, it } from '@jest/globals';
import { Agent } from '../harness/agent.js';
import { inFolder, newDeviceId } from '../harness/folder.js';
import { outrider, outriderJson } from '../harness/outrider.js';
import { until } from '../harness/until.js';
import { makeDevice } from '../harness/vehicle.js';

interface Rotation {
  readonly id: string;
  readonly state: string;
  readonly selected: number;
  readonly renewed: number;
  readonly outstanding: number;
  readonly stragglers: { readonly items: { readonly device_id: string; readonly last_seen_at: string | null }[] };
}

/** What no vehicle should meet while it changes its certificate. */
const TROUBLE = ['refused', 'held', 'denied', 'token_refused', 'failed'];
const label = newDeviceId('rotate').slice(4);
const agents = new Map<string, Agent>();

afterAll(async () => {
  await Promise.all([...agents.values()].map((agent) => agent.stop()));
});

async function equip(name: string, ...labels: string[]): Promise<() => Agent> {
  const id = newDeviceId(name);
  const { folder } = await makeDevice(id, ...labels.flatMap((one) => ['--label', one]));
  return () => {
    const agent = new Agent(
      'run',
      '--state',
      inFolder(id),
      '--factory',
      folder,
      '--interval',
      '500ms',
      '--no-commands',
    );
    agents.set(id, agent);
    return agent;
  };
}

const rotation = (id: string) => outriderJson<Rotation>('fleet', 'rotation', id);

describe('outrider fleet rotate', () => {
  it('has the vehicles with a label renew now, without a message lost; who is off lags behind, and catches up', async () => {
    const start = await Promise.all(['one', 'two', 'three'].map((name) => equip(name, label)));
    const [running, startSleeper, startOther] = [
      start.map((one) => one()),
      await equip('off', label),
      await equip('other'),
    ];
    const [sleeper, other] = [startSleeper(), startOther()];
    await Promise.all([...running, sleeper, other].map((agent) => agent.seen('accepted', { withinMs: 60_000 })));
    await sleeper.stop();

    const ordered = await outriderJson<Rotation>(
      'fleet',
      'rotate',
      '--label',
      label,
      '--within',
      '20s',
      '--waves',
      '2',
      '--reason',
      'a test',
    );
    expect(ordered).toMatchObject({ state: 'under_way', selected: 4, renewed: 0, outstanding: 4 });
    await Promise.all(running.map((agent) => agent.seen('renewed', { withinMs: 90_000 })));
    await until('all that run have renewed', async () => (await rotation(ordered.id)).renewed === 3, {
      withinMs: 30_000,
    });
    const late = await until(
      'the rest is overdue',
      async () => {
        const now = await rotation(ordered.id);
        return now.state === 'overdue' ? now : undefined;
      },
      { withinMs: 30_000 },
    );
    expect(late).toMatchObject({ outstanding: 1, stragglers: { items: [{ wave: expect.any(Number) }] } });
    const [straggler] = late.stragglers.items;
    expect(agents.get(straggler?.device_id ?? '')).toBe(sleeper);
    expect(Date.parse(straggler?.last_seen_at ?? '')).toBeGreaterThan(Date.now() - 300_000);
    const shown = await outrider('fleet', 'rotation', ordered.id);
    expect(shown.stdout).toContain(straggler?.device_id);

    const sent = running.map((agent) => agent.of('accepted').length);
    await until('telemetry with the new certificates', async () =>
      running.every((agent, index) => agent.of('accepted').length > (sent[index] as number) + 3),
    );
    for (const agent of [...running, other]) {
      expect(agent.events.filter(({ event }) => TROUBLE.includes(event))).toEqual([]);
      const [device] = [...agent.acknowledged()];
      const seqs = [...(device?.[1] ?? [])].sort((a, b) => a - b);
      expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, index) => index + 1));
    }
    expect(other.of('renewed')).toHaveLength(0);

    const back = startSleeper();
    await back.seen('renewed', { withinMs: 30_000 });
    await until('the rotation is done', async () => (await rotation(ordered.id)).state === 'done', {
      withinMs: 30_000,
    });
    const { stdout } = await outrider('fleet', 'rotations');
    expect(stdout).toContain(ordered.id);
  }, 240_000);

  it('refuses what selects nobody, and what was not thought through', async () => {
    const nobody = await outrider('fleet', 'rotate', '--label', 'nobody-has-it', '--within', '10m', '--reason', 'r');
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining('provisioning.rotation_empty') });
    for (const args of [
      ['--within', '10m', '--reason', 'r'],
      ['--all', '--label', 'x', '--within', '10m', '--reason', 'r'],
    ]) {
      expect((await outrider('fleet', 'rotate', ...args)).code).toBe(2);
    }
    expect((await outrider('fleet', 'rotate', '--all', '--within', 'soon', '--reason', 'r')).code).toBe(2);
  });
});
