import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Agent } from '../harness/agent.js';
import { parkedDrive } from '../harness/drives.js';
import { elevatedToken } from '../harness/elevation.js';
import { inFolder, newDeviceId } from '../harness/folder.js';
import { operator } from '../harness/operator.js';
import { outriderJson } from '../harness/outrider.js';
import { until } from '../harness/until.js';
import { makeDevice } from '../harness/vehicle.js';

const WITHIN = { withinMs: 60_000 };

/** The reference agent, parked, from its factory identity on. */
async function drive(id: string, ...args: string[]): Promise<Agent> {
  const { folder } = await makeDevice(id);
  const agent = new Agent(
    ...['run', '--state', inFolder(`${id}-state`), '--factory', folder],
    ...['--drive', parkedDrive(), '--interval', '200ms', ...args],
  );
  await agent.seen('enrolled', WITHIN);
  await agent.seen('stream_open', WITHIN);
  await agent.seen('accepted', WITHIN);
  return agent;
}

async function send(id: string, name: string, parameters: object = {}): Promise<string> {
  const { status, body } = await operator('command', 'POST', `/v1/vehicles/${id}/commands`, {
    body: { name, parameters },
    token: await elevatedToken('command:send-critical'),
    headers: { 'idempotency-key': randomUUID() },
  });
  expect({ status, body }).toMatchObject({ status: 202 });
  return body.id;
}

/** The command once it stands there. */
const cameTo = (id: string, state: string) =>
  until(
    `it is ${state}`,
    async () => {
      const { body } = await operator('command', 'GET', `/v1/commands/${id}`);
      return body.state === state ? body : undefined;
    },
    WITHIN,
  );

describe('an agent that takes commands in COSE', () => {
  const id = newDeviceId('cose');
  let agent: Agent;

  beforeAll(async () => {
    agent = await drive(id, '--cose');
  }, 120_000);
  afterAll(() => agent?.stop());

  it.each([
    ['honk', 'honked 1 times (simulated)'],
    ['unlock', 'doors unlocked (simulated)'],
  ])(
    'carries %s out and answers over its bytes',
    async (name, detail) => {
      const command = await send(id, name);
      expect(await cameTo(command, 'succeeded')).toMatchObject({ outcome: { result: 'succeeded', detail } });
      const { signed_command: signed } = await outriderJson<{ signed_command: { cose?: string; jws?: string } }>(
        ...['command', 'audit', command],
      );
      expect(signed).toMatchObject({ cose: expect.any(String) });
      expect(signed.jws).toBeUndefined();
    },
    120_000,
  );
});

describe('an agent that is asked for its log, quarantined, and brought back', () => {
  const id = newDeviceId('recover');
  let agent: Agent;

  beforeAll(async () => {
    agent = await drive(id);
  }, 120_000);
  afterAll(() => agent?.stop());

  it('delivers what it has recorded, though the platform knows it, and says so', async () => {
    await until('some records', () => agent.of('accepted').length >= 5, WITHIN);
    const { outcome } = await cameTo(await send(id, 'fetch-logs', { hours: 1 }), 'succeeded');
    expect(outcome.data).toMatchObject({ refused: 0 });
    expect(outcome.data.known).toBeGreaterThanOrEqual(5);
    const { items } = (await operator('telemetry', 'GET', `/v1/devices/${id}/fetch-orders`)).body;
    expect(items).toContainEqual(expect.objectContaining({ state: 'fulfilled', reason: 'held' }));
  }, 120_000);

  it('does the same in quarantine, where nothing else is open to it', async () => {
    await outriderJson('block', id, '--reason', 'a test');
    await agent.seen('denied', WITHIN);
    await until('its quarantine is known', async () => {
      const { body } = await operator('command', 'POST', `/v1/vehicles/${id}/commands`, {
        body: { name: 'honk' },
        headers: { 'idempotency-key': randomUUID() },
      });
      return body.code === 'command.device_unavailable';
    });
    await cameTo(await send(id, 'fetch-logs', { hours: 1 }), 'succeeded');
  }, 120_000);

  it('knocks with its factory certificate once it is told to recover, and is let in by an approved order, with another key', async () => {
    const [before] = agent.of('enrolled');
    await cameTo(await send(id, 'recover'), 'succeeded');
    const from = agent.events.length;
    const body = { device_id: id, reason: 'keyCompromise' };
    expect(await operator('revocation', 'POST', '/revoke', { body })).toMatchObject({ status: 200 });
    await until('it awaits recovery', async () => {
      const { state } = await outriderJson<{ state: string }>('device', 'show', id);
      return state === 'awaiting_recovery';
    });
    const asked = ['--reason', 'fetched from the yard', '--evidence', 'seal intact', '--ticket', 'T-1'];
    const { order_id: order } = await outriderJson<{ order_id: string }>('order', 'request', id, 'recovery', ...asked);
    await outriderJson('order', 'approve', order, '--as', 'local-approver');
    const back = await agent.seen('enrolled', { from, withinMs: 90_000 });
    expect(back.thumbprint).not.toBe(before?.thumbprint);
    await agent.seen('accepted', { from: agent.events.indexOf(back), ...WITHIN });
    await cameTo(await send(id, 'honk'), 'succeeded');
  }, 240_000);
});
