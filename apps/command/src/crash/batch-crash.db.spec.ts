/** kill -9 of the real service in the midst of a batch: each vehicle gets its command, once, or loses it, once, and the batch comes to its end. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { CommandState } from '@outrider/contracts';
import { DeviceId } from '@outrider/ids';
import { type Surroundings, startSurroundings, until } from '../command.fixture.js';
import { startVehicleSide } from '../vehicles.fixture.js';
import { ServiceProcess } from './service-process.fixture.js';

const TEST_MS = 120_000;
const WAIT_MS = 60_000;
/** More than the runner settles at once. */
const MANY = 120;

let surroundings: Surroundings;
let side: Awaited<ReturnType<typeof startVehicleSide>>;
let service: ServiceProcess;

beforeAll(async () => {
  surroundings = await startSurroundings();
  side = await startVehicleSide(surroundings);
  const batches = { approvalAbove: 1000, approvalWindowSeconds: 3600, maxDevices: MANY };
  service = await ServiceProcess.prepare(surroundings, { batches });
  service.start();
}, 60_000);
afterAll(async () => {
  await service?.stop();
  await side?.stop();
  await surroundings?.stop();
});

const device = (run: string, n: number) => DeviceId.parse(`${run}-${String(n).padStart(3, '0')}`);

async function query<Row extends object>(sql: string, ...parameters: unknown[]): Promise<Row[]> {
  const client = await surroundings.database.admin();
  try {
    return (await client.query<Row>(sql, parameters)).rows;
  } finally {
    await client.end();
  }
}

async function start(run: string): Promise<string> {
  const devices = Array.from({ length: MANY }, (_, n) => device(run, n));
  const body = { name: 'honk', target: { devices } };
  const { status, body: batch } = await side.operate(service.operatorPort, '/v1/command-batches', body);
  expect({ status, state: batch.state }).toEqual({ status: 202, state: 'running' });
  return batch.id;
}

const comesTo = (id: string, state: string) =>
  until(
    async () => (await query<{ state: string }>('SELECT state FROM batches WHERE id = $1', id))[0]?.state === state,
    WAIT_MS,
  );

const commandsOf = (id: string) =>
  query<{ device_id: string; states: string[] }>(
    `SELECT c.device_id, array_agg(h.state ORDER BY h.id) AS states FROM commands c
     JOIN command_history h ON h.command_id = c.id WHERE c.batch_id = $1 GROUP BY c.id ORDER BY c.device_id`,
    id,
  );

/** Kills the service before it commits this vehicle's change, and starts it again; how many commands stood where when it died. */
async function killAt(state: CommandState, device: DeviceId): Promise<Record<string, number>> {
  const stood: Record<string, number> = {};
  const run = `${device.split('-')[0]}-%`;
  const strike = async () => {
    const rows = await query<{ state: string; n: number }>(
      'SELECT state, count(*)::int AS n FROM commands WHERE device_id LIKE $1 GROUP BY state',
      run,
    );
    for (const { state, n } of rows) stood[state] = n;
    await service.kill();
  };
  await service.strikeAt({ state, before: true, device }, { strike, mend: () => service.start() });
  return stood;
}

it(
  'while vehicles get their commands: the others get theirs after it, none gets two',
  async () => {
    const killed = killAt('queued', device('sent', 75));
    const id = await start('sent');
    // So many must have theirs before this one is among the fifty that are next; more where the policies' facts came late for some.
    const { queued = 0 } = await killed;
    expect(queued).toBeGreaterThan(25);
    expect(queued).toBeLessThan(MANY);
    await comesTo(id, 'done');
    const commands = await commandsOf(id);
    expect(commands.map(({ device_id }) => device_id)).toEqual(
      Array.from({ length: MANY }, (_, n) => device('sent', n)),
    );
    expect(commands.every(({ states }) => states.join() === 'queued')).toBe(true);
    const left = await query(
      'SELECT FROM batch_devices WHERE batch_id = $1 AND (state, command_id IS NULL) <> ($2, false)',
      id,
      'sent',
    );
    expect(left).toHaveLength(0);
  },
  TEST_MS,
);

it(
  'while it is taken back: the others are taken back after it, each once',
  async () => {
    const id = await start('back');
    await comesTo(id, 'done');
    const killed = killAt('cancelled', device('back', 60));
    const { status } = await side.operate(service.operatorPort, `/v1/command-batches/${id}/cancel`, {});
    expect(status).toBe(200);
    const { queued = 0, cancelled = 0 } = await killed;
    expect({ all: queued + cancelled, left: queued > 0 }).toEqual({ all: MANY, left: true });
    await comesTo(id, 'cancelled');
    const commands = await commandsOf(id);
    expect(commands).toHaveLength(MANY);
    expect(commands.every(({ states }) => states.join() === 'queued,cancelled')).toBe(true);
    const history = await query<{ state: string }>(
      'SELECT state FROM batch_history WHERE batch_id = $1 ORDER BY id',
      id,
    );
    expect(history.map(({ state }) => state)).toEqual(['running', 'done', 'cancelling', 'cancelled']);
  },
  TEST_MS,
);
