/**
 * What an enrolment costs provisioning and fleet-ca: with a full TLS 1.3 handshake each, against a bare `node:https` mTLS server
 * measured in turn with it; and on kept connections. CPU time of the processes from /proc, the load's own and PostgreSQL's apart.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism, cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseCertificate, parseCertsOnlyCms } from '@outrider/x509';
import { startOwnSuite } from '../suite/own-suite.client.js';
import { type FactoryVehicle, Suite } from '../suite/suite.client.js';
import { startBareServer } from './bare-server.client.js';
import { cpuSeconds, loadAverage } from './cpu.client.js';
import { inParallel, keptConnection, post, postAfresh } from './load.client.js';

const ROUNDS = Number(process.env.OUTRIDER_BENCH_ROUNDS ?? 6);
const PER_ROUND = 250;
const WIDTH = 64;
/** What still runs after the last answer (events on their way) is the enrolments' own: it is waited for. */
const SETTLE_MS = 500;
const EST = '/.well-known/est/simpleenroll';

const own = process.env.OUTRIDER_ENDPOINTS
  ? undefined
  : startOwnSuite(['fleet-ca', 'provisioning', 'token', 'revocation', 'gateway']);
try {
  await measure(Suite.find());
} finally {
  own?.stop();
}

async function measure(suite: Suite): Promise<void> {
  const provisioning = { pid: suite.pid('provisioning'), url: suite.url('provisioning', EST), ca: suite.serverCa };
  const fleetCa = { pid: suite.pid('fleet-ca') };
  const bare = await startBareServer(suite.factoryCa);
  console.log(
    `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} cores, Node ${process.version}, load average ${loadAverage()}`,
  );
  const run = randomBytes(3).toString('hex');
  const costs = { bare: cost(), provisioning: cost(), fleetCa: cost(), kept: cost(), keptFleetCa: cost() };
  const warm = await suite.factoryVehicles(`bench-${run}-w`, WIDTH);
  await inParallel(warm, WIDTH, (vehicle) => enrolledBy(provisioning, vehicle, false));
  const bareTarget = { url: `${bare.origin}/`, ca: bare.ca };
  await inParallel(warm, WIDTH, (vehicle) => postAfresh(bareTarget, vehicle));
  for (let round = 0; round < ROUNDS; round++) {
    const afresh = await suite.factoryVehicles(`bench-${run}-${round}`, PER_ROUND);
    await spend([[costs.bare, bare.pid]], () =>
      inParallel(afresh, WIDTH, (vehicle) => postAfresh(bareTarget, vehicle)),
    );
    const both: [Cost, number][] = [
      [costs.provisioning, provisioning.pid],
      [costs.fleetCa, fleetCa.pid],
    ];
    await spend(both, () => inParallel(afresh, WIDTH, (vehicle) => enrolledBy(provisioning, vehicle, false)));

    const vehicles = await suite.factoryVehicles(`bench-${run}-${round}k`, PER_ROUND);
    const agents = new Map<FactoryVehicle, Awaited<ReturnType<typeof keptConnection>>>();
    await inParallel(vehicles, WIDTH, async (one) => agents.set(one, await keptConnection(provisioning, one)));
    await sleep(SETTLE_MS);
    const kept: [Cost, number][] = [
      [costs.kept, provisioning.pid],
      [costs.keptFleetCa, fleetCa.pid],
    ];
    await spend(kept, () =>
      inParallel(vehicles, WIDTH, (one) => enrolledBy(provisioning, one, agents.get(one) ?? false)),
    );
    for (const agent of agents.values()) agent.destroy();
  }
  bare.stop();
  report(costs);
}

interface Cost {
  cpuSeconds: number;
  seconds: number;
  count: number;
}

function cost(): Cost {
  return { cpuSeconds: 0, seconds: 0, count: 0 };
}

/** Adds what the processes spent on `PER_ROUND` requests, until all is quiet again. */
async function spend(processes: readonly [Cost, number][], work: () => Promise<number>): Promise<void> {
  const before = processes.map(([, pid]) => cpuSeconds(pid));
  const seconds = await work();
  await sleep(SETTLE_MS);
  processes.forEach(([total, pid], at) => {
    total.cpuSeconds += cpuSeconds(pid) - (before[at] ?? 0);
    total.seconds += seconds;
    total.count += PER_ROUND;
  });
}

async function enrolledBy(
  target: { readonly url: string; readonly ca: string },
  vehicle: FactoryVehicle,
  agent: Parameters<typeof post>[2],
): Promise<void> {
  const [leaf] = parseCertsOnlyCms(Buffer.from(await post(target, vehicle, agent), 'base64'));
  const name = leaf && parseCertificate(leaf).subjectCommonName;
  if (name !== vehicle.deviceId) throw new Error(`${vehicle.deviceId} was given a certificate of ${name}`);
}

function report(costs: Record<'bare' | 'provisioning' | 'fleetCa' | 'kept' | 'keptFleetCa', Cost>): void {
  const ms = ({ cpuSeconds: spent, count }: Cost) => (spent / count) * 1000;
  const both = ms(costs.provisioning) + ms(costs.fleetCa);
  const kept = ms(costs.kept) + ms(costs.keptFleetCa);
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  const rate = ({ count, seconds }: Cost) => `${Math.round(count / seconds)}/s`;
  console.log(
    `bare node:https, full handshake each: ${ms(costs.bare).toFixed(2)} ms CPU, ${rate(costs.bare)} on the wall`,
    `\nsimpleenroll, full handshake each: ${both.toFixed(2)} ms CPU (provisioning ${ms(costs.provisioning).toFixed(2)}, fleet-ca ${ms(costs.fleetCa).toFixed(2)}), ${rate(costs.provisioning)} on the wall`,
    `\n  of the bare server's rate by CPU: ${percent(ms(costs.bare) / both)} (60 % wanted); provisioning alone ${percent(ms(costs.bare) / ms(costs.provisioning))}`,
    `\nsimpleenroll on kept connections: ${kept.toFixed(2)} ms CPU (provisioning ${ms(costs.kept).toFixed(2)}, fleet-ca ${ms(costs.keptFleetCa).toFixed(2)}), ${rate(costs.kept)} on the wall`,
    `\n  ${Math.round(1000 / kept)} enrolments per CPU-second (600 wanted)`,
    `\nload average at the end: ${loadAverage()}`,
  );
}
