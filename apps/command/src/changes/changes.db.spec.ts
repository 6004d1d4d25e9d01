import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newDevice, type Suite, startSuite, until } from '../command.fixture.js';
import { type Operators, openOperators, type SentEvent } from '../operator.fixture.js';

const READ = { scope: 'device:read' };
const WAIT_MS = 20_000;

let suite: Suite;
let operators: Operators;

beforeAll(async () => {
  suite = await startSuite();
  operators = await openOperators(suite);
}, 60_000);
afterAll(async () => {
  await operators?.stop();
  await suite?.stop();
});

const statesOf = (events: readonly SentEvent[]) => events.map(({ data }) => data.state);

describe('a stream of changes', () => {
  it('tells each step of a command once and in order, and of nothing that was not asked for', async () => {
    const device = newDevice();
    const stream = await operators.watch(`/v1/command-changes?device=${device}`, READ);
    await suite.send(newDevice(), { name: 'honk' });
    const { id } = await suite.send(device, { name: 'honk' });
    await suite.deliver(device);
    await until(() => stream.events.length >= 2, WAIT_MS);
    expect(stream.events.map(({ event }) => event)).toEqual(['change', 'change']);
    expect(statesOf(stream.events)).toEqual(['queued', 'released']);
    expect(stream.events[0]?.data).toMatchObject({
      command_id: id,
      device_id: device,
      name: 'honk',
      requested_by: 'op:1',
      policies: ['dispatch-by-operators'],
    });
    stream.close();
  });

  it('goes on behind the last event that its reader had', async () => {
    const device = newDevice();
    const first = await operators.watch(`/v1/command-changes?device=${device}`, READ);
    await suite.send(device, { name: 'honk' });
    await until(() => first.events.length === 1, WAIT_MS);
    first.close();
    const missed = await suite.send(device, { name: 'locate' });
    await suite.cancel(missed.id);
    const second = await operators.watch(`/v1/command-changes?device=${device}`, {
      ...READ,
      headers: { 'last-event-id': first.events[0]!.id! },
    });
    await until(() => second.events.length >= 2, WAIT_MS);
    const late = await suite.send(device, { name: 'honk' });
    await until(() => second.events.length >= 3, WAIT_MS);
    expect(second.events.map(({ data }) => [data.command_id, data.state])).toEqual([
      [missed.id, 'queued'],
      [missed.id, 'cancelled'],
      [late.id, 'queued'],
    ]);
    second.close();
  });

  it('steps over nothing that is committed late', async () => {
    const device = newDevice();
    const { id } = await suite.send(device, { name: 'honk' });
    const slow = await suite.database.admin();
    await slow.query('BEGIN');
    await slow.query(
      `INSERT INTO command.command_history (command_id, state, at, reason) VALUES ($1, 'expired', now(), 'begun first')`,
      [id],
    );
    const stream = await operators.watch(`/v1/command-changes?device=${device}`, {
      ...READ,
      headers: { 'last-event-id': '0-0' },
    });
    const later = await suite.send(device, { name: 'locate' });
    await until(() => stream.events.length === 1, WAIT_MS);
    // Several looks of the feed: the later one is there, and may not be told yet.
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(stream.events).toHaveLength(1);
    await slow.query('COMMIT');
    await slow.end();
    await until(() => stream.events.length >= 3, WAIT_MS);
    expect(stream.events.map(({ data }) => [data.command_id, data.state])).toEqual([
      [id, 'queued'],
      [id, 'expired'],
      [later.id, 'queued'],
    ]);
    stream.close();
  });

  it('ends when the token does, and says why', async () => {
    const exp = Math.floor(Date.now() / 1000) + 8;
    const stream = await operators.watch('/v1/command-changes', { ...READ, claims: { exp } });
    await until(() => stream.ended, WAIT_MS);
    expect(stream.events.at(-1)).toMatchObject({ event: 'refused', data: { code: 'auth.token_expired' } });
  });

  it.each([
    ['without the right', { scope: 'command:send' }, 403, 'auth.scope_insufficient'],
    ['behind an event of another stream', { ...READ, headers: { 'last-event-id': 'x' } }, 400, 'request.invalid'],
  ])('is refused %s', async (_name, ask, status, code) => {
    const answer = await operators.call('GET', '/v1/command-changes', ask);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });
});
