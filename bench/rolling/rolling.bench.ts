/**
 * Every service restarted under load, on a suite of its own with two instances of each behind a balancer: vehicles that send telemetry, hold
 * streams of commands and fetch tokens, an operator who sends commands. Told are messages that were acknowledged and are not stored exactly
 * once (none), how long a vehicle was refused at most, and by what. `--vehicles N` (500), `--interval S` (5), `--delay MS` (10000, how long a
 * stopping instance goes on serving), `--services a,b` by OUTRIDER_BENCH_SERVICES, `--json`.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { CommandSender } from '../command/sender.client.js';
import { loadAverage } from '../enrol/cpu.client.js';
import { type OwnSuite, startOwnSuite } from '../suite/own-suite.client.js';
import { Suite } from '../suite/suite.client.js';
import { Balancer } from './balancer.client.js';
import { RunningFleet } from './fleet.client.js';
import { type RestartTimes, TwoInstances } from './instances.client.js';
import { type Ledger, tally } from './ledger.js';

const { values } = parseArgs({
  options: {
    vehicles: { type: 'string', default: '500' },
    interval: { type: 'string', default: '5' },
    delay: { type: 'string', default: '10000' },
    json: { type: 'boolean', default: false },
  },
});
const VEHICLES = Number(values.vehicles);
const SERVICES = ['fleet-ca', 'provisioning', 'token', 'telemetry', 'command', 'revocation', 'gateway'] as const;
const RESTARTED: readonly string[] = process.env.OUTRIDER_BENCH_SERVICES?.split(',') ?? SERVICES;
const WANTED_MS = 2_000;
const THERE_WITHIN_MS = 900_000;
const QUIET_MS = 15_000;
const BETWEEN_MS = 2_000;
const COMMAND_EVERY_MS = 250;
const say = (line: string) => {
  if (!values.json) console.log(line);
};

const own = startOwnSuite(SERVICES);
const disks = mkdtempSync(join(own.home, 'fleet-'));
const instances: TwoInstances[] = [];
const balancers: Balancer[] = [];
try {
  process.exitCode = (await roll(own)) ? 0 : 1;
} finally {
  for (const balancer of balancers) balancer.stop();
  await Promise.all(instances.map((one) => one.stop()));
  rmSync(disks, { recursive: true, force: true });
  own.stop();
}

async function roll({ home, endpoints }: OwnSuite): Promise<boolean> {
  const direct = Suite.find();
  for (const service of SERVICES) instances.push(new TwoInstances(service, direct, home, Number(values.delay)));
  for (const one of instances) await one.begin();
  process.env.OUTRIDER_ENDPOINTS = balance(endpoints);
  const fleet = new RunningFleet(process.env.OUTRIDER_ENDPOINTS, disks, VEHICLES, values.interval);
  const sender = new CommandSender(Suite.find());
  const sent = new Map<string, number>();
  const operatorFailures: string[] = [];
  let sending = true;
  const send = async () => {
    for (let n = 0; sending; n += 1) {
      const device = [...fleet.ledger.streaming][n % Math.max(1, fleet.ledger.streaming.size)];
      if (device) {
        await sender.send(device).then(
          (id) => sent.set(id, Date.now()),
          (error: Error) => operatorFailures.push(error.message.slice(0, 80)),
        );
      }
      await sleep(COMMAND_EVERY_MS);
    }
  };
  try {
    await untilThere(fleet.ledger);
    say(`${VEHICLES} vehicles send and hold streams; load ${loadAverage()}`);
    const operator = send();
    const quietSinceMs = Date.now();
    await sleep(QUIET_MS);
    const quiet = fleet.ledger.outages(quietSinceMs);
    say(`without a restart, ${QUIET_MS / 1000} s: ${quiet.length} times refused`);
    const sinceMs = Date.now();
    const acknowledgedBefore = fleet.ledger.acknowledged.size;
    for (const one of instances.filter(({ service }) => RESTARTED.includes(service))) {
      for (const which of ['first', 'second'] as const) {
        const beganMs = Date.now();
        const times = await one.restart(which);
        await sleep(BETWEEN_MS);
        tellRestart(one.service, which, times, fleet.ledger, beganMs);
      }
    }
    await sleep(QUIET_MS);
    sending = false;
    await operator;
    const seconds = (Date.now() - sinceMs) / 1000;
    await untilDone(fleet.ledger, sent);
    await fleet.stop();
    const outages = fleet.ledger.outages(sinceMs);
    const stored = await look(endpoints, fleet.ledger);
    const unanswered = [...sent.keys()].filter((id) => !fleet.ledger.outcomes.has(id)).length;
    const slowest = Math.max(0, ...[...sent].map(([id, at]) => (fleet.ledger.outcomes.get(id) ?? at) - at));
    const longestMs = outages[0]?.ms ?? 0;
    const result = {
      vehicles: VEHICLES,
      restarts: RESTARTED.length * 2,
      seconds: Math.round(seconds),
      acknowledgedPerSecond: (fleet.ledger.acknowledged.size - acknowledgedBefore) / seconds,
      ...stored,
      commands: sent.size,
      commandsWithoutOutcome: unanswered,
      slowestCommandMs: slowest,
      operatorFailures: tally(operatorFailures),
      refusals: outages.length,
      longestRefusalMs: longestMs,
      refusalsByCode: tally(outages.map(({ code }) => code)),
      refusedByBalancer: balancers.reduce((sum, { refused }) => sum + refused, 0),
    };
    const held = stored.lost === 0 && stored.twice === 0 && unanswered === 0 && longestMs <= WANTED_MS && sent.size > 0;
    const conditions = { cores: availableParallelism(), load: loadAverage(), node: process.version };
    if (values.json) console.log(JSON.stringify({ ...result, conditions, held }));
    else {
      say(JSON.stringify(result, undefined, 2));
      for (const { device, ms, code } of outages.slice(0, 5)) say(`  ${device}: ${ms} ms, ${code}`);
      say(`${held ? 'held' : 'NOT HELD'}; load ${loadAverage()}`);
    }
    return held;
  } finally {
    sending = false;
    await fleet.stop();
    await sender.close();
  }
}

/** A balancer before each listener that vehicles and operators use, and the endpoints by which they find it. */
function balance(endpoints: string): string {
  let text = readFileSync(endpoints, 'utf8');
  for (const { ports, first, second } of instances) {
    for (const [name, [one, other, front]] of Object.entries(ports)) {
      if (name === 'http') continue;
      const routes = [
        { target: first, port: one },
        { target: second, port: other },
      ];
      balancers.push(new Balancer(front, routes));
      text = text.replaceAll(`https://127.0.0.1:${one}"`, `https://127.0.0.1:${front}"`);
    }
  }
  const file = join(dirname(endpoints), 'endpoints-balanced.json');
  writeFileSync(file, text);
  return file;
}

async function untilThere({ enrolled, streaming }: Ledger): Promise<void> {
  const giveUpAt = performance.now() + THERE_WITHIN_MS;
  while (enrolled.size < VEHICLES || streaming.size < VEHICLES) {
    if (performance.now() > giveUpAt)
      throw new Error(`${enrolled.size} of ${VEHICLES} vehicles enrolled, ${streaming.size} on streams`);
    await sleep(500);
  }
}

/** Until each command has its outcome, for as long as a command lives at most. */
async function untilDone(ledger: Ledger, sent: ReadonlyMap<string, number>): Promise<void> {
  const giveUpAt = performance.now() + 60_000;
  while ([...sent.keys()].some((id) => !ledger.outcomes.has(id)) && performance.now() < giveUpAt) await sleep(500);
}

function tellRestart(service: string, which: string, times: RestartTimes, ledger: Ledger, beganMs: number): void {
  const outages = ledger.outages(beganMs);
  const took = `stopped in ${(times.stopMs / 1000).toFixed(1)} s, ready ${(times.startMs / 1000).toFixed(1)} s later`;
  say(`${service}, ${which}: ${took}; ${outages.length} vehicles refused, ${outages[0]?.ms ?? 0} ms at most`);
}

/** Which acknowledged messages lie in PostgreSQL, and how often. */
async function look(endpoints: string, { acknowledged }: Ledger) {
  const { database } = JSON.parse(readFileSync(endpoints, 'utf8'));
  const password = readFileSync(resolve(dirname(dirname(endpoints)), database.passwordFile), 'utf8').trim();
  const { host, port, name, user } = database;
  const client = new pg.Client({ host, port, database: name, user, password, options: '-c search_path=telemetry' });
  await client.connect();
  try {
    const { rows } = await client.query<{ device_id: string; seq: string; times: string }>(
      `SELECT device_id, seq, count(*) AS times FROM messages WHERE device_id LIKE 'rolling-%' GROUP BY device_id, stream, epoch, seq`,
    );
    const times = new Map(rows.map(({ device_id, seq, times }) => [`${device_id}/${seq}`, Number(times)]));
    const lost = [...acknowledged].filter((message) => !times.has(message)).length;
    const twice = [...times.values()].filter((count) => count > 1).length;
    return { acknowledged: acknowledged.size, stored: times.size, lost, twice };
  } finally {
    await client.end();
  }
}
