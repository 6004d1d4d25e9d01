/** kill -9 of the real service at every step of a command, before its commit and right after: nothing runs twice, nothing vanishes. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CommandState } from '@outrider/contracts';
import { newDevice, type Surroundings, startSurroundings } from '../command.fixture.js';
import { startVehicleSide, type TestVehicle } from '../vehicles.fixture.js';
import { ServiceProcess } from './service-process.fixture.js';

const TEST_MS = 120_000;

let surroundings: Surroundings;
let side: Awaited<ReturnType<typeof startVehicleSide>>;
let service: ServiceProcess;

beforeAll(async () => {
  surroundings = await startSurroundings();
  side = await startVehicleSide(surroundings);
  service = await ServiceProcess.prepare(surroundings);
  service.start();
}, 60_000);
afterAll(async () => {
  await service?.stop();
  await side?.stop();
  await surroundings?.stop();
});

const payloadOf = (jws: string) => JSON.parse(Buffer.from(jws.split('.')[1]!, 'base64url').toString());

/** A vehicle as the protocol wants it: it remembers what it has carried out, by bytes and by counter, and asks until it is answered. */
class Driver {
  readonly executed: string[] = [];
  private readonly known = new Map<string, string>();
  private counter = 0;

  constructor(private readonly vehicle: TestVehicle) {}

  async send(name: string): Promise<string> {
    const { status, body } = await side.operate(
      service.operatorPort,
      `/v1/vehicles/${this.vehicle.deviceId}/commands`,
      { name },
    );
    expect(status).toBe(202);
    return body.id;
  }

  /** The next command from its offer to its outcome. */
  async serve(): Promise<void> {
    const { vehicle } = this;
    const insist = (method: string, path: string, body?: object) =>
      vehicle.insist(service.vehiclePort, method, path, body);
    const { body } = await insist('GET', '/v1/commands/next?wait=20');
    const { id, critical } = body.command;
    const nonce = 'n'.repeat(43);
    const jws = critical ? (await insist('POST', `/v1/commands/${id}/nonce`, { nonce })).body.jws : body.command.jws;
    if (this.known.get(id) !== jws) {
      const payload = payloadOf(jws);
      expect(payload.counter).toBeGreaterThan(this.counter);
      this.counter = payload.counter;
      this.executed.push(id);
      this.known.set(id, jws);
    }
    const answered = await insist('POST', `/v1/commands/${id}/outcome`, { outcome: vehicle.outcome(id, jws) });
    expect(answered).toMatchObject({ status: 200, body: { id, state: 'succeeded' } });
  }
}

const PLAIN = ['queued', 'released', 'succeeded'] as const;
const CRITICAL = ['queued', 'offered', 'challenged', 'released', 'succeeded'] as const;
const POINTS: [string, CommandState, string, readonly string[]][] = [
  ...PLAIN.map((state): [string, CommandState, string, readonly string[]] => ['honk', state, 'a plain one', PLAIN]),
  ...(['offered', 'challenged'] as const).map((state): [string, CommandState, string, readonly string[]] => [
    'unlock',
    state,
    'a critical one',
    CRITICAL,
  ]),
];

describe.each([
  ['before the commit of', true],
  ['right after the commit of', false],
])('killed %s', (_name, before) => {
  it.each(POINTS)(
    '%s %s (%s): it is carried out once, and its history is whole',
    async (name, state, _kind, history) => {
      const driver = new Driver(await side.vehicle(newDevice()));
      const killed = service.killAt(state, before);
      const id = await driver.send(name);
      await driver.serve();
      await killed;
      expect(driver.executed).toEqual([id]);
      const client = await surroundings.database.admin();
      const { rows } = await client.query(
        `SELECT array_agg(h.state ORDER BY h.id) AS states, (SELECT count(*)::int FROM outcomes o WHERE o.command_id = $1) AS outcomes,
           (SELECT count(*)::int FROM commands c WHERE c.device_id = (SELECT device_id FROM commands WHERE id = $1)) AS commands
         FROM command_history h WHERE h.command_id = $1`,
        [id],
      );
      await client.end();
      expect(rows).toEqual([{ states: history, outcomes: 1, commands: 1 }]);
    },
    TEST_MS,
  );
});
