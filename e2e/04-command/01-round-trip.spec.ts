import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Agent } from '../harness/agent.js';
import { parkedDrive } from '../harness/drives.js';
import { elevation } from '../harness/elevation.js';
import { inFolder, newDeviceId } from '../harness/folder.js';
import { outrider, outriderJson } from '../harness/outrider.js';
import { until } from '../harness/until.js';
import { makeDevice } from '../harness/vehicle.js';

interface Shown {
  readonly id: string;
  readonly state: string;
  readonly history: readonly { readonly state: string; readonly at: string }[];
  readonly outcome: { readonly result: string; readonly data?: object; readonly jws: string };
}

describe('a command and its answer', () => {
  const id = newDeviceId('command');
  const parked = ['--drive', parkedDrive()];
  let agent: Agent;

  beforeAll(async () => {
    const { folder } = await makeDevice(id);
    agent = new Agent('run', '--state', inFolder(id), '--factory', folder, '--interval', '200ms', ...parked);
    await agent.seen('accepted');
  });

  afterAll(async () => {
    await agent?.stop();
  });

  const send = (...args: string[]) => outriderJson<Shown>('command', 'send', id, ...args, '--wait', '30');

  it('honk: queued, released, succeeded', async () => {
    const shown = await send('honk', '--param', 'times=2');
    expect(shown).toMatchObject({
      device_id: id,
      name: 'honk',
      critical: false,
      state: 'succeeded',
      parameters: { times: 2 },
    });
    expect(shown.history.map(({ state }) => state)).toEqual(['queued', 'released', 'succeeded']);
    expect(agent.of('command_done')).toEqual([
      expect.objectContaining({ id: shown.id, name: 'honk', result: 'succeeded' }),
    ]);
  });

  it("shows the vehicle's own signed words", async () => {
    const { outcome } = await send('locate');
    expect(outcome).toMatchObject({ result: 'succeeded', data: { lat: expect.any(Number), lon: expect.any(Number) } });
    const [header = '', payload = ''] = outcome.jws.split('.');
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({
      alg: 'ES256',
      typ: 'outrider-outcome+jws',
      kid: agent.of('enrolled')[0]?.thumbprint,
    });
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({
      device_id: id,
      result: 'succeeded',
    });
  });

  it('unlock is critical: released only against a nonce of the vehicle', async () => {
    const bare = await outrider('command', 'send', id, 'unlock');
    expect(bare).toMatchObject({ code: 4, stderr: expect.stringContaining('auth.scope_insufficient') });
    const shown = await send('unlock', '--elevation', await elevation('command:send-critical'));
    expect(shown).toMatchObject({ name: 'unlock', critical: true, state: 'succeeded' });
    expect(shown.history.map(({ state }) => state)).toEqual([
      'queued',
      'offered',
      'challenged',
      'released',
      'succeeded',
    ]);
  });

  it('is shown again by its id, and as a table', async () => {
    const sent = await send('set-interval', '--param', 'seconds=1');
    const shown = await outriderJson<Shown>('command', 'show', sent.id);
    expect(shown).toEqual(sent);
    const table = await outrider('command', 'show', sent.id);
    expect(table).toMatchObject({ code: 0, stdout: expect.stringMatching(/set-interval[\s\S]*STATE[\s\S]*succeeded/) });
  });

  it('reaches a vehicle that comes back later, and runs once', async () => {
    await agent.stop();
    const queued = await outriderJson<Shown>('command', 'send', id, 'honk');
    expect(queued.state).toBe('queued');
    const waiting = await outrider('command', 'send', id, 'locate', '--wait', '1');
    expect(waiting.code).toBe(5);
    agent = new Agent(
      'run',
      '--state',
      inFolder(id),
      '--factory',
      inFolder(`${id}-factory`),
      '--interval',
      '200ms',
      ...parked,
    );
    await until('both outcomes', () => agent.of('outcome_delivered').length === 2, { withinMs: 20_000 });
    expect((await outriderJson<Shown>('command', 'show', queued.id)).state).toBe('succeeded');
    expect(agent.of('command_executing').map(({ name }) => name)).toEqual(['honk', 'locate']);
  });
});
