import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Agent } from '../harness/agent.js';
import { parkedDrive } from '../harness/drives.js';
import { elevatedToken, elevation } from '../harness/elevation.js';
import { file, inFolder, newDeviceId } from '../harness/folder.js';
import { operator } from '../harness/operator.js';
import { outrider, outriderJson } from '../harness/outrider.js';
import { until } from '../harness/until.js';
import { makeDevice } from '../harness/vehicle.js';

const LABEL = `e2e-${randomUUID().slice(0, 8)}`;
const FENCE = LABEL;
/** [west, south, east, north] */
const square = (west: number, south: number, east: number, north: number) => ({
  type: 'Polygon',
  coordinates: [
    [
      [west, south],
      [east, south],
      [east, north],
      [west, north],
      [west, south],
    ],
  ],
});

describe('policies by what a vehicle says of itself', () => {
  const id = newDeviceId('policy');
  let agent: Agent;

  beforeAll(async () => {
    const { folder } = await makeDevice(id, '--label', LABEL);
    agent = new Agent('run', '--state', inFolder(id), '--factory', folder, '--interval', '200ms');
    await agent.seen('accepted');
  });

  afterAll(async () => {
    await agent?.stop();
    await outrider('geofence', 'delete', FENCE);
  });

  const send = async (name: string) =>
    operator('command', 'POST', `/v1/vehicles/${id}/commands`, {
      body: { name },
      token: await elevatedToken('command:send-critical'),
      headers: { 'idempotency-key': randomUUID() },
    });
  const denied = (detail: string) => ({ status: 403, body: { code: 'policy.denied', detail } });
  /** What a vehicle said last, and a changed geofence, are known everywhere within a few seconds. */
  const untilSent = (name: string) =>
    until(`${name} is sent`, async () => {
      const answer = await send(name);
      return answer.status === 202 && answer;
    });

  it('nothing is moved on a vehicle that drives, and it may still honk', async () => {
    await until('its speed is known', async () => (await send('immobilise')).status === 403, { everyMs: 300 });
    expect(await send('unlock')).toMatchObject(denied('no-remote-control-while-moving'));
    const refused = await outrider(
      'command',
      'send',
      id,
      'unlock',
      '--elevation',
      await elevation('command:send-critical'),
    );
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('no-remote-control-while-moving') });
    expect((await outriderJson<{ state: string }>('command', 'send', id, 'honk', '--wait', '30')).state).toBe(
      'succeeded',
    );
    await until('the decision log has it', async () => {
      const { body } = await operator('gateway', 'GET', `/v1/decisions?device=${id}&code=policy.denied`);
      return body.items?.length > 0;
    });
  });

  it('parked, it is unlocked, and its history names the policies that let it', async () => {
    await agent.stop();
    const parked = ['--drive', parkedDrive(), '--interval', '200ms'];
    agent = new Agent('run', '--state', inFolder(id), '--factory', inFolder(`${id}-factory`), ...parked);
    await agent.seen('accepted');
    const { body } = await untilSent('unlock');
    const done = await until('it is unlocked', async () => {
      const shown = await operator('command', 'GET', `/v1/commands/${body.id}`);
      return shown.body.state === 'succeeded' && shown.body;
    });
    const basis = { policies: ['dispatch-by-operators'], policy_version: expect.any(Number) };
    expect(done.history[0]).toMatchObject({ state: 'queued', ...basis });
    expect(done.history.find(({ state }: { state: string }) => state === 'released')).toMatchObject(basis);
  });

  it('outside of its geofence it is not, and inside it is', async () => {
    const elsewhere = file('elsewhere.json', JSON.stringify(square(13, 52, 14, 53)));
    const args = ['--name', FENCE, '--required-for', LABEL, '--time-zone', 'America/Los_Angeles'];
    await outriderJson('geofence', 'put', elsewhere, ...args);
    await until('it counts', async () => (await send('immobilise')).status === 403, { everyMs: 300 });
    expect(await send('unlock')).toMatchObject(denied('no-remote-control-outside-the-geofence'));
    const here = {
      type: 'Feature',
      geometry: square(-123, 37, -122, 38),
      properties: { name: FENCE, required_for: [LABEL] },
    };
    await outriderJson('geofence', 'put', file('here.json', JSON.stringify(here)));
    await untilSent('unlock');
    expect((await outrider('geofence', 'list')).stdout).toContain(FENCE);
  });
});
