/** `telemetry list | verify | export | stats`: what is stored of one device, in a range of time. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Command, Option } from 'commander';
import { z } from 'zod';
import { fromUser } from '../endpoints/endpoints.store.js';
import { inSession, type Session } from '../session.service.js';
import { linesOf } from './lines.js';
import { deviceOption, instant, pathOf, whole } from './options.js';
import { ShownRecord, wordsOf } from './shown-record.js';

interface RangeOptions {
  readonly device: string;
  readonly from?: string;
  readonly to?: string;
}

interface ListOptions extends RangeOptions {
  readonly limit: number;
  readonly source: string;
}

const NDJSON = 'application/x-ndjson';
const Progress = z.looseObject({ checked: z.number(), faulty: z.number(), total: z.number() });
/** Of a record; or, without `seq`, of a segment or a delivery of an offline log. */
const Fault = z.looseObject({
  ...{ stream: z.string().nullable(), epoch: z.number().nullable(), seq: z.number().nullable(), fault: z.string() },
  log: z.object({ order: z.string(), log: z.string(), segment: z.number().nullable() }).nullable(),
});
const Summary = z.looseObject({
  ...{ ok: z.boolean(), checked: z.number(), faulty: z.number() },
  logs: z.object({ deliveries: z.number(), segments: z.number(), faulty: z.number(), unanchored: z.number() }),
});
const Failed = z.looseObject({ code: z.string(), title: z.string() });
const Statistics = z.looseObject({
  verdicts: z.record(z.string(), z.number()),
  latency_ms: z.record(z.string(), z.number().nullable()),
  streams: z.array(z.looseObject({ stream: z.string(), epoch: z.number(), accepted: z.number(), missing: z.number() })),
});

function ranged(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .addOption(deviceOption())
    .option('--from <time>', 'received at that time or later', instant)
    .option('--to <time>', 'received before', instant);
}

export function rangeCommands(): Command[] {
  return [
    ranged('list', 'stored records, in order of receipt')
      .option('--limit <n>', 'so many at most', whole, 100)
      .addOption(
        new Option('--source <source>', 'what came live, what offline logs brought, or both')
          .choices(['live', 'log', 'all'])
          .default('all'),
      )
      .action((options: ListOptions, command: Command) => inSession(command, (session) => list(session, options))),
    ranged(
      'verify',
      'verify stored records again, by the bytes as received and the certificates that signed them',
    ).action((options: RangeOptions, command: Command) => inSession(command, (session) => verify(session, options))),
    ranged('export', 'records with all that proves them, for `telemetry verify-export`')
      .requiredOption('--out <file>')
      .action((options: RangeOptions & { out: string }, command: Command) =>
        inSession(command, (session) => save(session, options)),
      ),
    ranged('stats', 'latency, gaps and verdicts; of the last day unless told otherwise').action(
      (options: RangeOptions, command: Command) => inSession(command, (session) => stats(session, options)),
    ),
  ];
}

async function list({ operator, output }: Session, { device, limit, from, to, source }: ListOptions): Promise<void> {
  const query = { from, to, limit, source, view: output.json ? 'raw' : 'decoded' };
  for await (const line of linesOf(operator.bytes('telemetry', pathOf(device), { query, accept: NDJSON }))) {
    const record = ShownRecord.parse(JSON.parse(line.toString()));
    output.item(record, wordsOf(record));
  }
}

async function verify({ operator, output }: Session, { device, from, to }: RangeOptions): Promise<void> {
  let summary: z.infer<typeof Summary> | undefined;
  const query = { from, to };
  for await (const { event, data } of operator.events('telemetry', pathOf(device, '/verify'), { query })) {
    const said: unknown = JSON.parse(data);
    if (event === 'progress' && process.stderr.isTTY && !output.json) {
      const { checked, total, faulty } = Progress.parse(said);
      process.stderr.write(`\r${checked} of ${total} checked, ${faulty} faulty `);
    } else if (event === 'fault') {
      const fault = Fault.parse(said);
      output.item(fault, [fault.fault, ...placeOf(fault)]);
    } else if (event === 'summary') summary = Summary.parse(said);
    else if (event === 'error') {
      const { code, title } = Failed.parse(said);
      throw new Error(`${code}: ${title}`);
    }
  }
  if (process.stderr.isTTY && !output.json) process.stderr.write('\n');
  if (!summary) throw new Error('the verification was cut off');
  const { checked, faulty, logs } = summary;
  const ofLogs = `${logs.segments} segments of ${logs.deliveries} offline logs, ${logs.faulty} faulty`;
  const unanchored = logs.unanchored > 0 ? `; ${logs.unanchored} records are unanchored` : '';
  output.item(summary, [
    `${checked} checked, ${faulty} faulty${logs.deliveries > 0 ? `; ${ofLogs}${unanchored}` : ''}`,
  ]);
  if (summary.ok) return;
  const parts = logs.faulty > 0 ? `, ${logs.faulty} parts of offline logs` : '';
  throw new Error(`${faulty} of ${checked} records${parts} do not stand`);
}

function placeOf({ stream, epoch, seq, log }: z.infer<typeof Fault>): unknown[] {
  const part = log ? [`log ${log.log}`, log.segment === null ? 'its delivery' : `segment ${log.segment}`] : [];
  return seq === null ? part : [stream, `epoch ${epoch}`, `#${seq}`, ...part];
}

async function save({ operator, output }: Session, { device, from, to, out }: RangeOptions & { out: string }) {
  const file = fromUser(out);
  const hash = createHash('sha256');
  let bytes = 0;
  const measure = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length;
      hash.update(chunk);
      done(undefined, chunk);
    },
  });
  const answer = operator.bytes('telemetry', pathOf(device, '/export'), { query: { from, to }, accept: NDJSON });
  await pipeline(Readable.from(answer), measure, createWriteStream(file, { mode: 0o600 }));
  output.record({ file, bytes, sha256: hash.digest('hex') });
}

async function stats({ operator, output }: Session, { device, from, to }: RangeOptions): Promise<void> {
  const answer = await operator.call('telemetry', 'GET', pathOf(device, '/statistics'), { query: { from, to } });
  if (output.json) {
    output.record(answer as object);
    return;
  }
  const { verdicts, latency_ms, streams } = Statistics.parse(answer);
  const rows = streams.map(({ stream, epoch, accepted, missing }) => [stream, epoch, accepted, missing]);
  output.table(answer, ['STREAM', 'EPOCH', 'ACCEPTED', 'MISSING'], rows);
  output.record({ ...verdicts, 'latency p50 (ms)': latency_ms.p50, 'latency p99 (ms)': latency_ms.p99 });
}
