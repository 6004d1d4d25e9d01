/** A fleet that sends while things break, and the account of it: what it was told, beside what is stored. */
import { Agent } from './agent.js';
import { query } from './database.js';
import { SERVICES } from './endpoints.js';
import { inFolder, newDeviceId } from './folder.js';
import { isReady } from './operator.js';
import { until } from './until.js';

/** Rows by device: how many messages of how many numbers. */
interface Stored {
  readonly device_id: string;
  readonly rows: number;
  readonly seqs: string[];
}

export interface Account {
  readonly acknowledged: number;
  /** `device#seq` that were acknowledged and are not stored. */
  readonly lost: string[];
  /** Devices that have more rows than numbers. */
  readonly twice: string[];
  /** What the agents complained of: refusals of records of their own are findings. */
  readonly refused: object[];
}

export class Load {
  readonly prefix: string;
  readonly agent: Agent;

  constructor(
    name: string,
    readonly vehicles = 8,
    interval = '100ms',
  ) {
    this.prefix = `${newDeviceId(name)}-`;
    const options = ['--vehicles', String(vehicles), '--prefix', this.prefix, '--interval', interval];
    this.agent = new Agent('simulate', '--state', inFolder(this.prefix), ...options);
  }

  /** Every vehicle has something acknowledged that came after this call. Returns how long that took, ms. */
  async flows(withinMs = 40_000): Promise<number> {
    const from = this.agent.events.length;
    const begun = performance.now();
    const all = () => new Set(this.agent.of('accepted', from).map(({ device }) => device)).size === this.vehicles;
    await until('every vehicle has telemetry accepted again', all, { withinMs }).catch((cause: unknown) => {
      const last = JSON.stringify(this.agent.events.slice(-5));
      throw new Error(`the fleet does not send; its last events are ${last}\n${this.agent.said}`, { cause });
    });
    return Math.round(performance.now() - begun);
  }

  /** Ends the fleet and compares. */
  async settle(): Promise<Account> {
    await this.agent.stop();
    const told = this.agent.acknowledged();
    const stored = await this.stored();
    const lost: string[] = [];
    for (const [device, seqs] of told) {
      const there = new Set(stored.find(({ device_id }) => device_id === device)?.seqs.map(Number));
      for (const seq of seqs) if (!there.has(seq)) lost.push(`${device}#${seq}`);
    }
    return {
      acknowledged: [...told.values()].reduce((sum, seqs) => sum + seqs.size, 0),
      lost,
      twice: stored.filter(({ rows, seqs }) => rows !== new Set(seqs).size).map(({ device_id }) => device_id),
      refused: [...this.agent.of('refused'), ...this.agent.of('held')],
    };
  }

  private stored(): Promise<Stored[]> {
    return query<{ device_id: string; rows: number; seqs: string[] }>(
      `SELECT device_id, count(*)::int AS rows, array_agg(seq) AS seqs FROM telemetry.messages
       WHERE starts_with(device_id, $1) GROUP BY device_id, stream, epoch`,
      [this.prefix],
    );
  }
}

/** What telemetry had committed and not yet told has all gone out, by itself. */
export async function allTold(withinMs = 40_000): Promise<void> {
  const left = () =>
    query<{ n: number }>(
      'SELECT ((SELECT count(*) FROM telemetry.outbox) + (SELECT count(*) FROM telemetry.event_groups))::int AS n',
    );
  await until('all is told', async () => (await left())[0]?.n === 0, { withinMs });
}

/** Every service says that it and all it needs are there. */
export async function allReady(withinMs = 40_000): Promise<void> {
  for (const service of SERVICES) await until(`${service} is ready`, () => isReady(service), { withinMs });
}
