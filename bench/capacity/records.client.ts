import { join } from 'node:path';
import pg from 'pg';
import type { EnrolledVehicle, Suite } from '../suite/suite.client.js';
import type { Load } from '../telemetry/round.client.js';
import { Sender } from '../telemetry/sender.client.js';
import type { Figure, Figures } from './figures.js';
import { folderBytes, type Meter } from './spent.client.js';

export interface RecordFigures {
  readonly costs: Figures['single'];
  readonly perSecond: number;
  readonly eventBytes: Figure;
}

/** What a record costs every process, and where its bytes go. */
export async function recordFigures(
  suite: Suite,
  meter: Meter,
  home: string,
  databaseUrl: string,
  vehicles: readonly EnrolledVehicle[],
  { shape, perBody, bodies }: Load,
): Promise<RecordFigures> {
  const senders = await Promise.all(
    vehicles.map(async (vehicle) =>
      Sender.open(suite.url('telemetry', '/v1/telemetry'), vehicle, await suite.token(vehicle, 'telemetry:write')),
    ),
  );
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  try {
    const prepare = (count: number) =>
      senders.map((sender) => Array.from({ length: count }, () => sender.request(shape, perBody)));
    await send(senders, prepare(Math.ceil(bodies / 4)), perBody);
    const ready = prepare(bodies);
    const [stored, wal, events] = [await storedBytes(database), await walPosition(database), eventBytes(home)];
    let seconds = 0;
    const spent = await meter.of(async () => {
      const startedAt = performance.now();
      await send(senders, ready, perBody);
      seconds = (performance.now() - startedAt) / 1000;
    });
    const records = senders.length * bodies * perBody;
    const by = `capacity: ${records} records, ${shape}, ${perBody} a POST, P-256`;
    const of = (value: number, unit: string): Figure => ({ value: Math.round((value / records) * 10) / 10, unit, by });
    const micros = (...names: string[]) =>
      of(names.reduce((sum, name) => sum + (spent.get(name) ?? 0), 0) * 1e6, 'us of CPU a record');
    const nodes = ['nats-1', 'nats-2', 'nats-3'] as const;
    const busiest = [...nodes].sort((a, b) => (spent.get(b) ?? 0) - (spent.get(a) ?? 0))[0] as string;
    return {
      costs: {
        serviceMicros: micros('telemetry'),
        gatewayMicros: micros('gateway'),
        postgresMicros: micros('postgres'),
        standbyMicros: micros('postgres-standby'),
        natsMicros: micros(...nodes),
        // The node that did most led the stream.
        natsLeaderMicros: micros(busiest),
        storedBytes: of((await storedBytes(database)) - stored, 'bytes a record on disk, indexes with it'),
        walBytes: of((await walPosition(database)) - wal, 'bytes of WAL a record'),
      },
      perSecond: Math.round(records / seconds),
      eventBytes: of(eventBytes(home) - events, "bytes an event in a node's store"),
    };
  } finally {
    for (const sender of senders) sender.close();
    await database.end();
  }
}

async function send(senders: readonly Sender[], prepared: readonly Buffer[][], count: number): Promise<void> {
  await Promise.all(
    senders.map(async (sender, n) => {
      for (const request of prepared[n] ?? []) await sender.send(request, count);
    }),
  );
}

async function storedBytes(database: pg.Client): Promise<number> {
  const { rows } = await database.query<{ bytes: string }>(
    `SELECT sum(pg_total_relation_size(relid)) AS bytes FROM pg_partition_tree('telemetry.messages')`,
  );
  return Number(rows[0]?.bytes);
}

async function walPosition(database: pg.Client): Promise<number> {
  const { rows } = await database.query<{ at: string }>(`SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS at`);
  return Number(rows[0]?.at);
}

function eventBytes(home: string): number {
  return folderBytes(join(home, 'nats', 'nats-1', 'jetstream'));
}
