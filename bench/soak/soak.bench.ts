/**
 * Half an hour of a fleet that sends, on a suite of its own: memory of the service and of what it stands on, judged by its trend over the
 * second half, and whether everything that the vehicles were told is accepted was counted once. `--minutes N` (30), `--vehicles N` (200),
 * `--json`. Below ten minutes memory is told, not judged: V8 and PostgreSQL are still filling what they will keep.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { loadAverage } from '../enrol/cpu.client.js';
import { Simulator } from '../rotate/simulator.client.js';
import { startOwnSuite } from '../suite/own-suite.client.js';
import { Suite } from '../suite/suite.client.js';
import { type Sample, type Trend, trendOf } from './trend.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    vehicles: { type: 'string', default: '200' },
    json: { type: 'boolean', default: false },
  },
});
const MINUTES = Number(values.minutes);
const VEHICLES = Number(values.vehicles);
const SERVICES = ['fleet-ca', 'provisioning', 'token', 'telemetry', 'revocation', 'gateway'] as const;
const WATCHED = ['telemetry', 'gateway', 'nats'] as const;
const JUDGED = 'telemetry';
const JUDGED_FROM_MINUTES = 10;
const SAMPLES = 180;
const FLOOR_MIB = 8;
const ENROLLED_WITHIN_MS = 600_000;
const ACCEPTED = ['outrider_telemetry_messages_total', 'verdict="accepted"'] as const;

/** Counted in records; `trends` in MiB, by process. */
interface Result {
  readonly minutes: number;
  readonly vehicles: number;
  readonly rate: number;
  readonly told: number;
  readonly counted: number;
  readonly lost: number;
  readonly trends: Readonly<Record<string, Trend>>;
  readonly trouble: readonly string[];
}

const own = startOwnSuite(SERVICES);
const disks = mkdtempSync(join(own.home, 'fleet-'));
const fleet = new Simulator({
  endpoints: own.endpoints,
  state: disks,
  prefix: 'soak-',
  vehicles: VEHICLES,
  intervalSeconds: 1,
  rampMs: 50,
});
try {
  process.exitCode = (await soak()) ? 0 : 1;
} finally {
  await fleet.stop();
  rmSync(disks, { recursive: true, force: true });
  own.stop();
}

async function soak(): Promise<boolean> {
  const suite = Suite.find();
  const giveUpAt = performance.now() + ENROLLED_WITHIN_MS;
  while (fleet.enrolled.size < VEHICLES) {
    if (performance.now() > giveUpAt) throw new Error(`${fleet.enrolled.size} of ${VEHICLES} vehicles enrolled`);
    await sleep(500);
  }
  const begun = performance.now();
  const everyMs = Math.max(1000, (MINUTES * 60_000) / SAMPLES);
  const memory = new Map<string, Sample[]>(WATCHED.map((name) => [name, []]));
  while (performance.now() - begun < MINUTES * 60_000) {
    await sleep(everyMs);
    const atSeconds = (performance.now() - begun) / 1000;
    for (const [name, samples] of memory) samples.push({ atSeconds, value: residentMib(suite.pid(name)) });
  }
  const seconds = (performance.now() - begun) / 1000;
  await fleet.stop();
  const told = fleet.accepted.reduce((sum, { count }) => sum + count, 0);
  const during = fleet.accepted.filter(({ at }) => at >= begun).reduce((sum, { count }) => sum + count, 0);
  const counted = await suite.metric(JUDGED, ...ACCEPTED);
  const trends = Object.fromEntries([...memory].map(([name, samples]) => [name, trendOf(samples, FLOOR_MIB)]));
  const trouble = fleet.trouble.filter(({ at }) => at >= begun).map(({ what }) => what);
  const judged = MINUTES >= JUDGED_FROM_MINUTES;
  // The last answers may not have reached vehicles that were stopped: counted and not told is no loss, told and not counted is.
  const lost = Math.max(0, told - counted);
  const held = lost === 0 && trouble.length === 0 && (!judged || trends[JUDGED]!.flat);
  const result: Result = {
    minutes: MINUTES,
    vehicles: VEHICLES,
    rate: during / seconds,
    told,
    counted,
    lost,
    trends,
    trouble,
  };
  if (values.json) console.log(JSON.stringify({ ...result, cores: availableParallelism(), load: loadAverage(), held }));
  else tell(result, judged);
  return held;
}

function tell({ minutes, vehicles, rate, told, counted, lost, trends, trouble }: Result, judged: boolean): void {
  console.log(
    `${vehicles} vehicles, ${minutes} min: ${rate.toFixed(0)} accepted/s; ${told} told, ${counted} counted, ${lost} lost`,
  );
  for (const [name, { median, rise, allowed, flat }] of Object.entries(trends)) {
    const verdict = judged ? (flat ? 'flat' : 'GROWS') : 'too short to judge';
    console.log(
      `  ${name}: ${median.toFixed(0)} MiB, ${rise.toFixed(1)} over the second half (${allowed.toFixed(1)} allowed): ${verdict}`,
    );
  }
  if (trouble.length > 0) console.log(`  trouble: ${trouble.length}, the first ${trouble.slice(0, 3).join('; ')}`);
}

function residentMib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}
