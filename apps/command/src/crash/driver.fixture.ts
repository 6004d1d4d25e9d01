/** A vehicle as the protocol wants it: it remembers what it has carried out, by bytes and by counter, and asks until it is answered. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import type { Surroundings } from '../command.fixture.js';
import type { startVehicleSide, TestVehicle } from '../vehicles.fixture.js';
import type { ServiceProcess } from './service-process.fixture.js';

export type Way = 'poll' | 'stream';

/** A command as it was handed out, with its signed form. */
export interface Taken {
  readonly id: string;
  readonly jws: string;
}

/** What the database says became of a command, and how many commands its device has. */
export interface Account {
  readonly states: readonly string[];
  readonly outcomes: number;
  readonly commands: number;
}

const TAKE_MS = 60_000;

export class Driver {
  readonly executed: string[] = [];
  private readonly known = new Map<string, string>();
  private counter = 0;

  constructor(
    private readonly side: Awaited<ReturnType<typeof startVehicleSide>>,
    private readonly service: ServiceProcess,
    readonly vehicle: TestVehicle,
  ) {}

  async send(name: string, more: object = {}): Promise<string> {
    const path = `/v1/vehicles/${this.vehicle.deviceId}/commands`;
    const { status, body } = await this.side.operate(this.service.operatorPort, path, { name, ...more });
    expect(status).toBe(202);
    return body.id;
  }

  cancel(id: string) {
    return this.side.operate(this.service.operatorPort, `/v1/commands/${id}/cancel`, {});
  }

  /** The next command, from its offer until it is carried out. */
  async take(way: Way = 'poll'): Promise<Taken> {
    const { id, critical, jws: plain } = way === 'poll' ? await this.polled() : await this.streamed();
    const nonce = 'n'.repeat(43);
    const jws = critical ? (await this.insist('POST', `/v1/commands/${id}/nonce`, { nonce })).body.jws : plain;
    if (this.known.get(id) !== jws) {
      const payload = JSON.parse(Buffer.from(jws.split('.')[1]!, 'base64url').toString());
      expect(payload.counter).toBeGreaterThan(this.counter);
      this.counter = payload.counter;
      this.executed.push(id);
      this.known.set(id, jws);
    }
    return { id, jws };
  }

  async answer({ id, jws }: Taken, result = 'succeeded'): Promise<void> {
    const body = { outcome: this.vehicle.outcome(id, jws, result) };
    expect(await this.insist('POST', `/v1/commands/${id}/outcome`, body)).toMatchObject({
      status: 200,
      body: { id, state: result },
    });
  }

  async serve(way: Way = 'poll', result = 'succeeded'): Promise<void> {
    await this.answer(await this.take(way), result);
  }

  /** True where the vehicle gets nothing. */
  async hasNothing(): Promise<boolean> {
    return (await this.insist('GET', '/v1/commands/next')).status === 204;
  }

  private insist(method: string, path: string, body?: object) {
    return this.vehicle.insist(this.service.vehiclePort, method, path, body);
  }

  private async polled() {
    return (await this.insist('GET', '/v1/commands/next?wait=20')).body.command;
  }

  /** Over one stream after the other, as each ends, until a command comes. */
  private async streamed() {
    for (const end = Date.now() + TAKE_MS; Date.now() < end; await sleep(50)) {
      const stream = await this.vehicle.stream(this.service.vehiclePort).catch(() => undefined);
      if (!stream) continue;
      try {
        while (!stream.ended && Date.now() < end) {
          const found = stream.events.find(({ event }) => event === 'command');
          if (found) return found.data.command;
          await sleep(20);
        }
      } finally {
        stream.close();
      }
    }
    throw new Error('no command came over a stream');
  }
}

export async function accountOf({ database }: Surroundings, id: string): Promise<Account> {
  const client = await database.admin();
  try {
    const { rows } = await client.query<Account>(
      `SELECT array_agg(h.state ORDER BY h.id) AS states, (SELECT count(*)::int FROM outcomes o WHERE o.command_id = $1) AS outcomes,
         (SELECT count(*)::int FROM commands c WHERE c.device_id = (SELECT device_id FROM commands WHERE id = $1)) AS commands
       FROM command_history h WHERE h.command_id = $1`,
      [id],
    );
    return rows[0]!;
  } finally {
    await client.end();
  }
}
