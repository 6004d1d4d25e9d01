/** What a spec that failed servers over asks of them; imported once its own suite runs. */
import { readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { queryAt, storedMessages } from '../harness/database.js';
import { endpoints } from '../harness/endpoints.js';
import { enforcedByAll } from '../harness/enforcement.js';
import { payloadOf, signed } from '../harness/message.js';
import { operator } from '../harness/operator.js';
import { isBack, killHard } from '../harness/processes.js';
import { leavePort, takePort } from '../harness/take-port.js';
import { type Loot, loot, refusals } from '../harness/theft.js';
import { until } from '../harness/until.js';
import { Vehicle } from '../harness/vehicle.js';

export { publishedCounts } from '../harness/events.js';
export { allReady, allTold, Load } from '../harness/load.js';
export { isBack, killHard, leavePort, until };

const PATIENCE = { withinMs: 40_000 };

/** Kills a node, and again should it be back before its port is taken. Returns what keeps it away, and which process it was. */
export async function loseNode(node: string): Promise<{ place: Server; former: number }> {
  const url = endpoints.nats.url.split(',')[Number(node.replace('nats-', '')) - 1];
  const port = Number(new URL(url ?? '').port);
  const former = killHard(node);
  const take = async () => {
    const place = await takePort(port, 500).catch(() => undefined);
    if (!place && isBack(node, former)) killHard(node);
    return place;
  };
  return { place: await until(`${node} is away`, take, { withinMs: 20_000 }), former };
}

/** The node is there, and all of the stream with it. */
export async function caughtUp(node: string, former: number, stream: string): Promise<void> {
  await until(`${node} is back`, () => isBack(node, former), PATIENCE);
  await until(`${stream} is whole`, async () => (await nodesOf(stream)).current.length === 2, PATIENCE);
}

/** The names of the nodes that lead a stream, and that follow it and have all of it. */
export async function nodesOf(stream: string): Promise<{ leader: string | undefined; current: string[] }> {
  const { url, user, passwordFile } = endpoints.nats;
  const pass = readFileSync(passwordFile, 'utf8').trim();
  const connection = await connect({ servers: url.split(','), user, pass, inboxPrefix: `_INBOX.${user}` });
  try {
    const { cluster } = await (await jetstreamManager(connection)).streams.info(stream);
    const current = (cluster?.replicas ?? []).filter((one) => one.current && !one.offline).map(({ name }) => name);
    return { leader: cluster?.leader, current };
  } finally {
    await connection.close();
  }
}

/** Makes the standby the primary, as whoever watches over them does. */
export async function promoteStandby(): Promise<void> {
  const rows = await queryAt<{ done: boolean }>(standbyPort(), 'SELECT pg_promote(true, 60) AS done');
  if (!rows[0]?.done) throw new Error('the standby was not promoted');
}

/** Whether the primary's commits wait for the standby. */
export async function isSynchronous(): Promise<boolean> {
  const rows = await queryAt(endpoints.database.port, `SELECT FROM pg_stat_replication WHERE sync_state = 'sync'`);
  return rows.length === 1;
}

function standbyPort(): number {
  const { standbyPort: port } = endpoints.database;
  if (port === undefined) throw new Error('the suite has no standby');
  return port;
}

/** A vehicle in service, and what its thief has. */
export interface Robbed {
  readonly vehicle: Vehicle;
  readonly goods: Loot;
  readonly thumbprint: string;
}

/** Taken out of service. */
export interface Revoked {
  /** Resolves when every service refuses it; how long that took from here, ms. */
  readonly refused: (withinMs?: number) => Promise<number>;
  /** Until every instance enforces it, ms; undefined: some had not said so by the answer. */
  readonly enforcedMs: number | undefined;
}

export async function robbed(name: string): Promise<Robbed> {
  const vehicle = await until(`${name} is enrolled`, () => Vehicle.enrol(name), PATIENCE);
  const goods = await until(`${name} has tokens`, () => loot(vehicle), PATIENCE);
  return { vehicle, goods, thumbprint: await vehicle.thumbprint() };
}

export async function revoke({ vehicle, goods, thumbprint }: Robbed): Promise<Revoked> {
  const body = { thumbprint, reason: 'key-compromise' };
  const answer = await operator('revocation', 'POST', '/revoke?wait=enforced', { body });
  if (answer.status !== 200) throw new Error(`not revoked: ${answer.status} ${JSON.stringify(answer.body)}`);
  return {
    refused: async (withinMs = 20_000) => {
      const seen = await refusals(vehicle, goods, performance.now(), withinMs);
      return Math.round(Math.max(...Object.values(seen).map(({ ms }) => ms)));
    },
    enforcedMs: enforcedByAll(answer.body) ? answer.ms : undefined,
  };
}

/** Revokes until it is as fast again as it has to be. Returns how fast, ms. */
export function fastAgain(name: string): Promise<number> {
  const fast = async () => {
    const { enforcedMs } = await revoke(await robbed(name));
    return enforcedMs !== undefined && enforcedMs < 1000 && Math.round(enforcedMs);
  };
  return until('a revocation that all enforce within a second', fast, PATIENCE);
}

/** A vehicle by hand whose messages are sent again, as they were and forged. */
export class Replayed {
  private constructor(
    private readonly vehicle: Vehicle,
    private readonly first: ReturnType<typeof signed>,
    private readonly forged: ReturnType<typeof signed>,
  ) {}

  static async accepted(name: string): Promise<Replayed> {
    const vehicle = await Vehicle.enrol(name);
    const payload = payloadOf(vehicle.id, 7);
    const replayed = new Replayed(
      vehicle,
      signed(payload, vehicle.key),
      signed({ ...payload, telemetry: { ...payload.telemetry, speed: 99 } }, vehicle.key),
    );
    const answer = await replayed.send(replayed.first);
    if (answer.status !== 200) throw new Error(`not accepted: ${answer.status} ${answer.body}`);
    return replayed;
  }

  /** What the platform says to the message again, and to another of its number; and how often it is stored. */
  async outcome(): Promise<{ again: string; forged: string; stored: number }> {
    const [again, forged] = [await this.send(this.first), await this.send(this.forged)];
    return {
      again: `${again.status} ${again.json().results?.[0]?.verdict}`,
      forged: `${forged.status} ${forged.json().code}`,
      stored: (await storedMessages(this.vehicle.id)).length,
    };
  }

  /** By whichever answer there is, also a refusal for want of a database. */
  async sendNew(token: string): Promise<{ status: number; retryAfter: string | undefined }> {
    const message = signed(payloadOf(this.vehicle.id, 8), this.vehicle.key);
    const { status, headers } = await this.vehicle.sendTelemetry(message, token);
    return { status, retryAfter: headers['retry-after'] };
  }

  token(): Promise<string> {
    return this.vehicle.token();
  }

  private async send(message: object) {
    return this.vehicle.sendTelemetry(message, await this.vehicle.token());
  }
}
