/**
 * `npm run capacity -- --vehicles N --interval 10s [--records-per-post N] [--token 120s] [--poll 1h] [--reconnects-per-day N] [--retention-days N]
 * [--utilisation 0.6] [--verify-micros N] [--json]`: what a fleet takes, by the figures of bench/capacity/measured.json, which
 * `npm run bench -- capacity --write` makes. `--verify-micros`: CPU of a P-256 verification on your machine (`openssl speed ecdsap256`).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { capacityOf, type Fleet, USUAL } from './capacity.js';
import { durationSeconds } from './duration.js';
import { Measured, onMachine } from './figures.js';
import { reportOf } from './report.js';

const FILE = join(import.meta.dirname, '../../capacity/measured.json');
const Count = z.coerce.number().positive();
const Duration = z.string().transform((text, context) => {
  const seconds = durationSeconds(text);
  if (seconds !== undefined) return seconds;
  context.addIssue({ code: 'custom', message: `"${text}" is no duration: 500ms, 10s, 5m, 1h` });
  return z.NEVER;
});

const Options = z.strictObject({
  vehicles: Count,
  interval: Duration,
  'records-per-post': Count.default(USUAL.recordsPerPost),
  token: Duration.default(USUAL.tokenSeconds),
  poll: Duration.default(USUAL.renewalPollSeconds),
  'certificate-hours': Count.default(USUAL.certificateHours),
  'reconnects-per-day': Count.default(USUAL.reconnectsPerDay),
  'retention-days': Count.default(USUAL.retentionDays),
  'crl-shards': Count.default(USUAL.crlShards),
  utilisation: Count.default(USUAL.utilisation),
  'verify-micros': Count.optional(),
  json: z.boolean().default(false),
});

try {
  const names = Object.keys(Options.shape);
  const options = Object.fromEntries(
    names.map((name) => [name, { type: name === 'json' ? ('boolean' as const) : ('string' as const) }]),
  );
  const parsed = Options.safeParse({ ...parseArgs({ options }).values });
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error));
  const given = parsed.data;
  const fleet: Fleet = {
    ...USUAL,
    vehicles: given.vehicles,
    intervalSeconds: given.interval,
    recordsPerPost: given['records-per-post'],
    tokenSeconds: given.token,
    renewalPollSeconds: given.poll,
    certificateHours: given['certificate-hours'],
    reconnectsPerDay: given['reconnects-per-day'],
    retentionDays: given['retention-days'],
    crlShards: given['crl-shards'],
    utilisation: given.utilisation,
  };
  const measured = Measured.parse(JSON.parse(readFileSync(FILE, 'utf8')));
  const verifyMicros = given['verify-micros'];
  const figures = verifyMicros === undefined ? measured.figures : onMachine(measured.figures, verifyMicros);
  const capacity = capacityOf(fleet, figures);
  console.log(
    given.json ? JSON.stringify({ fleet, capacity, measured }, null, 2) : reportOf(fleet, capacity, measured),
  );
} catch (error) {
  console.error(`${(error as Error).message}\nUsage: npm run capacity -- --vehicles 10000000 --interval 10s [--json]`);
  process.exitCode = 2;
}
