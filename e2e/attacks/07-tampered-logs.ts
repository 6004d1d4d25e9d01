import { query } from '../harness/database.js';
import { deniedInLog } from '../harness/decisions.js';
import { type LogRecord, type LogSegment, orderLog, sealLog, uploadLog } from '../harness/log.js';
import { nowSeconds, payloadOf } from '../harness/message.js';
import type { Seen } from '../harness/thief.js';
import { attack, type Trial } from './attack.js';
import { attacker, Party, unharmed } from './cast.js';
import { said } from './said.js';

const TWO_HOURS = 7200;
const FIRST = 11;
const COUNT = 12;

/** What is done to the log on its way, and where it must be found. `seq` 17 is record 2 of segment 2. */
const TAMPERINGS: readonly (readonly [
  what: string,
  code: string,
  place: string,
  (log: LogSegment[]) => LogSegment[],
])[] = [
  ['a record cut out', 'log_gap', 'segment 2, record 2, seq 17', (log) => inSegment(log, (r) => r.toSpliced(2, 1))],
  ['the last record cut out', 'log_gap', 'segment 2, record 3, seq 18', (log) => inSegment(log, (r) => r.slice(0, -1))],
  [
    'a record edited',
    'log_edited',
    'segment 2, record 2, seq 17',
    (log) => inSegment(log, (r) => r.with(2, slower(r[2]))),
  ],
  ['two records swapped', 'log_reordered', 'segment 2, record 1, seq 17', (log) => inSegment(log, swapped)],
  [
    'a foreign record put in',
    'log_foreign',
    'segment 2, record 2',
    (log) => inSegment(log, (r) => r.with(2, anothers(r[2]))),
  ],
  ['a segment cut out', 'log_gap', 'segment 2', ([a, , c]) => [a, c] as LogSegment[]],
  ['two segments swapped', 'log_reordered', 'segment 2', ([a, b, c]) => [a, c, b] as LogSegment[]],
  ['a head edited', 'log_bad_signature', 'segment 2', (log) => log.with(1, backdated(log[1] as LogSegment))],
];

type Records = LogSegment['records'];

function inSegment(log: readonly LogSegment[], change: (records: Records) => Records): LogSegment[] {
  const second = log[1] as LogSegment;
  return log.with(1, { ...second, records: change(second.records) });
}

const slower = (record: LogRecord | undefined) => ({ ...(record as LogRecord), telemetry: { speed: 50 } });
const anothers = (record: LogRecord | undefined) => ({ ...(record as LogRecord), device_id: 'device-other' });
const swapped = (r: Records): Records => [r[0], r[2], r[1], ...r.slice(3)] as Records;
const backdated = (segment: LogSegment) => ({ ...segment, head: { ...segment.head, ts: 1 } });

/** The answer's code and place. */
function found(seen: Seen): string {
  const detail = (JSON.parse(seen.body) as { detail?: string }).detail ?? '';
  return `${said(seen)} ${detail.split(':')[0]}`;
}

async function nothingStored(trial: Trial, device: string): Promise<void> {
  for (const table of ['log_records', 'log_segments', 'log_upload_parts']) {
    const [row] = await query<{ n: number }>(`SELECT count(*)::int AS n FROM telemetry.${table} WHERE device_id = $1`, [
      device,
    ]);
    trial.must(`nothing is in ${table}`, row?.n === 0, row);
  }
}

export const tamperedLogs = attack(
  7,
  'uploads an offline log with a record cut out, edited or reordered',
  'the chain break named, nothing stored',
  async (trial) => {
    const since = new Date();
    const car = await Party.enrol('logger');
    await car.send(car.message({ seq: 100 }));
    const records = Array.from({ length: COUNT }, (_, index) => {
      return payloadOf(car.id, FIRST + index, nowSeconds() - TWO_HOURS + index);
    });
    const log = sealLog(car, records, nowSeconds());
    for (const [what, code, place, tamper] of TAMPERINGS) {
      const order = await orderLog(car.id, [[FIRST, FIRST + COUNT - 1]]);
      const tampered = tamper([...log]);
      const whole = tampered.length === log.length ? log : tampered;
      const seen = await uploadLog(car, order, tampered, { whole });
      trial.must(what, found(seen).startsWith(`422 telemetry.${code} ${place}`), found(seen), `422 telemetry.${code}`);
      await car.ask('GET', '/v1/telemetry/fetch-orders');
    }
    await nothingStored(trial, car.id);
    await wrongOrders(trial, car, log);
    await deniedInLog('telemetry.log_edited', { device: car.id, since });
    await unharmed(trial);
  },
);

/** An order answers once, to its own nonce, for its own vehicle. */
async function wrongOrders(trial: Trial, car: Party, log: readonly LogSegment[]): Promise<void> {
  const order = await orderLog(car.id, [[FIRST, FIRST + COUNT - 1]]);
  const thief = await attacker();
  trial.check("another's order", '404 telemetry.order_not_found', said(await uploadLog(thief, order, log)));
  const nonce = 'A'.repeat(43);
  trial.check('another nonce', '422 telemetry.log_wrong_nonce', said(await uploadLog(car, order, log, { nonce })));
  await nothingStored(trial, car.id);
  trial.check('the log as it is', '200 accepted', said(await uploadLog(car, order, log)));
  trial.check('the order again', '409 telemetry.order_used', said(await uploadLog(car, order, log)));
}
