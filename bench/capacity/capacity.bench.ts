/**
 * Every figure of the capacity calculator, on a suite on clusters of its own (three NATS nodes, a synchronous standby): CPU by process from
 * /proc, bytes where they lie. `--write`: into bench/capacity/measured.json, which `npm run capacity` reads.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { loadAverage } from '../enrol/cpu.client.js';
import { PROJECT, startOwnSuite } from '../suite/own-suite.client.js';
import { type EnrolledVehicle, Suite } from '../suite/suite.client.js';
import { opensslVerification } from '../telemetry/openssl.client.js';
import { type Figure, Measured, withoutZeros } from './figures.js';
import {
  connectionFigures,
  ocspFigure,
  pollFigure,
  renewalFigures,
  tokenFigures,
  wireFigures,
} from './others.client.js';
import { recordFigures } from './records.client.js';
import { Meter } from './spent.client.js';

const VEHICLES = 32;
const BATCH = 50;
/** Of memory and of lists: their own benchmarks say so, at sizes that this one does not reach. */
const ELSEWHERE = {
  entriesPerRevocation: of(2, 'entries', 'revocation/bulk: 100,000 certificates are 200,000 entries'),
  denylistEntryBytes: of(75, 'bytes of memory', 'libs/admission, entry-rows at a million entries (decision 0014)'),
  crlEntryBytes: of(37, 'bytes', 'revocation/crl: a full list by its entries'),
};

process.env.OUTRIDER_CLUSTER = '1';
const own = startOwnSuite(['fleet-ca', 'provisioning', 'token', 'telemetry', 'revocation', 'gateway']);
try {
  const begun = loadAverage();
  const figures = await measure(Suite.find());
  const measured = Measured.parse({
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus()[0]?.model ?? 'unknown CPU'}, ${availableParallelism()} cores, Node ${process.version}`,
    conditions: `three NATS nodes (streams kept three times), PostgreSQL with a synchronous standby, all on this machine; load average ${begun} to ${loadAverage()}, so what else runs here makes each operation dearer, never cheaper`,
    figures: withoutZeros(figures),
  });
  const text = `${JSON.stringify(measured, null, 2)}\n`;
  console.log(text);
  if (process.argv.includes('--write')) writeFileSync(join(PROJECT, 'bench/capacity/measured.json'), text);
} finally {
  own.stop();
}

async function measure(suite: Suite): Promise<Measured['figures']> {
  const run = randomBytes(3).toString('hex');
  const vehicles: EnrolledVehicle[] = [];
  for (let n = 0; n < VEHICLES; n++) vehicles.push(await suite.enrolled(`bench-${run}-${n}`, 'P-256'));
  const databaseUrl = adminUrl();
  const [meter, early] = [await Meter.atRest(suite), opensslVerification()];
  const single = await recordFigures(suite, meter, own.home, databaseUrl, vehicles, {
    shape: 'single',
    perBody: 1,
    bodies: 150,
  });
  const batch = await recordFigures(suite, meter, own.home, databaseUrl, vehicles, {
    shape: 'signed-batch',
    perBody: BATCH,
    bodies: 10,
  });
  const [one] = vehicles as [EnrolledVehicle];
  return {
    verifyMicros: of(
      Math.round(Math.min(early?.p256 ?? Number.NaN, opensslVerification()?.p256 ?? Number.NaN) * 10) / 10,
      'us of CPU a verification',
      'capacity: one P-256 signature by OpenSSL, in the same minutes',
    ),
    single: single.costs,
    batch: { ...batch.costs, records: of(BATCH, 'records a POST', 'capacity: signed batches') },
    recordsPerSecond: of(batch.perSecond, 'records a second', 'capacity: signed batches, one telemetry process'),
    eventBytes: single.eventBytes,
    token: await tokenFigures(suite, meter, vehicles),
    renewal: await renewalFigures(suite, meter, run),
    pollMicros: await pollFigure(suite, meter, one),
    ...(await connectionFigures(suite, meter, one)),
    ocspMicros: await ocspFigure(suite, meter, own.home, one),
    wire: await wireFigures(suite, one, BATCH),
    ...ELSEWHERE,
  };
}

function adminUrl(): string {
  const { database } = JSON.parse(readFileSync(own.endpoints, 'utf8')) as {
    database: { host: string; port: number; name: string; user: string; passwordFile: string };
  };
  const password = encodeURIComponent(readFileSync(database.passwordFile, 'utf8').trim());
  return `postgres://${database.user}:${password}@${database.host}:${database.port}/${database.name}`;
}

function of(value: number, unit: string, by: string): Figure {
  return { value, unit, by };
}
