/**
 * `fleet rotate` of 2,000 simulated vehicles, each the reference agent with its own state, keys and connections, on this machine:
 * how long until all have renewed, what any of them was refused, and whether their telemetry went on.
 * Vehicles have disks of their own, so that theirs here is memory (/dev/shm) where there is such a thing: thousands of them that sync each
 * key and certificate to one disk would measure that disk. The suite is one of its own, on the disk. ROTATE_VEHICLES, ROTATE_WITHIN_SECONDS and ROTATE_QUIET_SECONDS change the numbers.
 */

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { startOwnSuite } from '../suite/own-suite.client.js';
import { Suite } from '../suite/suite.client.js';
import { Simulator } from './simulator.client.js';

const VEHICLES = Number(process.env.ROTATE_VEHICLES ?? 2000);
const WITHIN_SECONDS = Number(process.env.ROTATE_WITHIN_SECONDS ?? 140);
const ALLOWED_SECONDS = 180;
const GIVE_UP_SECONDS = 600;
const PROCESSES = 2;
const INTERVAL_SECONDS = 30;
const RAMP_MS = 100;
const QUIET_SECONDS = Number(process.env.ROTATE_QUIET_SECONDS ?? 60);
const SERVICES = ['fleet-ca', 'provisioning', 'token', 'telemetry', 'revocation', 'gateway'] as const;
const Rotation = z.looseObject({ id: z.string(), state: z.string(), selected: z.number(), renewed: z.number() });

const own = startOwnSuite(SERVICES);
const disks = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : own.home, 'outrider-bench-'));
try {
  process.exitCode = (await measure()) ? 0 : 1;
} finally {
  rmSync(disks, { recursive: true, force: true });
  own.stop();
}

async function measure(): Promise<boolean> {
  const suite = Suite.find();
  const begun = performance.now();
  const fleet = Array.from(
    { length: PROCESSES },
    (_, n) =>
      new Simulator({
        endpoints: own.endpoints,
        state: join(disks, `fleet-${n}`),
        prefix: `rotate-${n}-`,
        vehicles: Math.ceil(VEHICLES / PROCESSES),
        intervalSeconds: INTERVAL_SECONDS,
        rampMs: RAMP_MS,
      }),
  );
  try {
    const size = Math.ceil(VEHICLES / PROCESSES) * PROCESSES;
    await until(() => sum(fleet.map(({ enrolled }) => enrolled.size)) === size, GIVE_UP_SECONDS, 'all to be enrolled');
    console.log(
      `${size} vehicles enrolled in ${seconds(performance.now() - begun)} s, their factory identities included`,
    );
    await sleep(QUIET_SECONDS * 1000);

    const before = performance.now();
    await sleep(QUIET_SECONDS * 1000);
    const cpuBefore = await cpu(suite, fleet);
    const started = performance.now();
    tellTelemetry('before', fleet, before, started);
    const order = { label: 'simulated', within_seconds: WITHIN_SECONDS, reason: 'a benchmark' };
    const rotation = Rotation.parse(await suite.operate('provisioning', '/v1/rotations', order));
    console.log(
      `rotation of ${rotation.selected} within ${WITHIN_SECONDS} s ordered in ${Math.round(performance.now() - started)} ms`,
    );
    const done = await untilDone(suite, rotation.id, started);
    const ended = performance.now();
    const cpuAfter = await cpu(suite, fleet);
    await sleep(QUIET_SECONDS * 1000);

    const renewals = fleet.flatMap(({ renewals }) => renewals).filter(({ at }) => at >= started);
    const devices = new Set(renewals.map(({ device }) => device));
    const last = Math.max(...renewals.map(({ at }) => at)) - started;
    console.log(
      `${devices.size} of ${size} renewed, the last after ${seconds(last)} s; provisioning saw all of them in use after ${done ? seconds(ended - started) : 'more than '.concat(String(GIVE_UP_SECONDS))} s`,
    );
    const times = renewals.map(({ ms }) => ms).sort((a, b) => a - b);
    const at = (share: number) => times[Math.ceil(share * times.length) - 1];
    console.log(`one renewal, new key and handshake included: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms`);
    tellTelemetry('during', fleet, started, ended);
    tellTelemetry('after', fleet, ended, ended + QUIET_SECONDS * 1000);
    tellCpu(cpuBefore, cpuAfter, (ended - started) / 1000, renewals.length);
    const trouble = fleet.flatMap((one) => one.trouble).filter((one) => one.at >= started);
    console.log(`refusals and failures that vehicles met: ${trouble.length}`);
    for (const { device, what } of trouble.slice(0, 10)) console.log(`  ${device}: ${what}`);
    console.log(`load ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} cores, vehicles and database included`);
    return done && devices.size === size && ended - started <= ALLOWED_SECONDS * 1000 && trouble.length === 0;
  } finally {
    await Promise.all(fleet.map((one) => one.stop()));
  }
}

async function untilDone(suite: Suite, id: string, started: number): Promise<boolean> {
  let said = 0;
  while (performance.now() - started < GIVE_UP_SECONDS * 1000) {
    const { state, renewed, selected } = Rotation.parse(
      await suite.observe('provisioning', `/v1/rotations/${id}?limit=1`),
    );
    if (state === 'done') return true;
    const elapsed = Math.floor((performance.now() - started) / 30_000);
    if (elapsed > said) console.log(`  after ${elapsed * 30} s: ${renewed} of ${selected}`);
    said = elapsed;
    await sleep(1000);
  }
  return false;
}

/** Accepted messages a second, and the least of any ten seconds: a gap would show there. */
function tellTelemetry(when: string, fleet: readonly Simulator[], from: number, to: number): void {
  const accepted = fleet.flatMap((one) => one.accepted).filter(({ at }) => at >= from && at < to);
  const parts = new Array<number>(Math.max(1, Math.floor((to - from) / 10_000))).fill(0);
  for (const { at, count } of accepted) {
    const part = Math.floor((at - from) / 10_000);
    if (part < parts.length) parts[part]! += count;
  }
  const rate = sum(accepted.map(({ count }) => count)) / ((to - from) / 1000);
  const least = Math.min(...parts) / 10;
  console.log(
    `telemetry accepted ${when} the rotation: ${rate.toFixed(1)}/s, in the slowest ten seconds ${least.toFixed(1)}/s`,
  );
}

async function cpu(suite: Suite, fleet: readonly Simulator[]): Promise<ReadonlyMap<string, number>> {
  const used = new Map<string, number>();
  for (const service of SERVICES) used.set(service, await suite.metric(service, 'process_cpu_seconds_total'));
  used.set('vehicles', sum(fleet.map((one) => one.usage().cpuSeconds)));
  used.set('vehicles’ MiB', sum(fleet.map((one) => one.usage().mib)));
  return used;
}

function tellCpu(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  lasted: number,
  renewals: number,
): void {
  const used = (name: string) => after.get(name)! - before.get(name)!;
  const names = [...SERVICES, 'vehicles'];
  const words = names.map((name) => `${name} ${used(name).toFixed(0)} s`).join(', ');
  console.log(
    `CPU in these ${lasted.toFixed(0)} s: ${words}; the vehicles take ${after.get('vehicles’ MiB')!.toFixed(0)} MiB`,
  );
  const ours = used('provisioning') + used('fleet-ca');
  console.log(
    `provisioning and fleet-ca together, all questions included: ${((ours / renewals) * 1000).toFixed(1)} ms CPU a renewal`,
  );
}

async function until(condition: () => boolean, withinSeconds: number, what: string): Promise<void> {
  const end = performance.now() + withinSeconds * 1000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${withinSeconds} s for ${what}`);
    await sleep(250);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(0);
}
