/** The log of a vehicle by hand, and its way to the platform: made of what the protocol's page says, with none of the suite's code. */
import { createHash } from 'node:crypto';
import { canonical } from './message.js';
import { operator } from './operator.js';

export interface Order {
  readonly id: string;
  readonly nonce: string;
  readonly ranges: readonly (readonly [number, number])[];
}

export interface LogRecord {
  readonly device_id: string;
  readonly seq: number;
  readonly ts: number;
  readonly telemetry: object;
}

export interface LogSegment {
  readonly head: Readonly<Record<string, unknown>>;
  readonly signature: string;
  readonly digests: readonly string[];
  readonly records: readonly LogRecord[];
}

/** Whoever can sign and ask in its own name. */
export interface Logger {
  readonly id: string;
  sign(text: string): string;
  ask(method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown): Promise<{ status: number; body: string }>;
}

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');

/** By an operator. */
export async function orderLog(deviceId: string, ranges: readonly (readonly [number, number])[]): Promise<Order> {
  const path = `/v1/devices/${deviceId}/fetch-orders`;
  const { status, body } = await operator('telemetry', 'POST', path, { body: { ranges, reason: 'a test' } });
  if (status !== 201) throw new Error(`no order: ${status} ${JSON.stringify(body)}`);
  return body as Order;
}

/** Segments of `size`, the records in order. `ts`: when they are sealed. */
export function sealLog(vehicle: Logger, records: readonly LogRecord[], ts: number, size = 4): LogSegment[] {
  const segments: LogSegment[] = [];
  for (let at = 0; at < records.length; at += size) {
    const some = records.slice(at, at + size);
    const digests = some.map((record) => sha256(canonical(record)));
    const before = segments.at(-1);
    const head = {
      typ: 'outrider/log-segment/v1',
      device_id: vehicle.id,
      log: `log-${records[0]?.seq}`,
      segment: segments.length + 1,
      previous: before ? sha256(canonical(before.head)) : null,
      stream: 'main',
      epoch: 0,
      seq: some[0]?.seq,
      count: some.length,
      records: sha256(Buffer.from(digests.join(''), 'hex')),
      ts,
    };
    segments.push({ head, signature: vehicle.sign(canonical(head)), digests, records: some });
  }
  return segments;
}

/** Begin, append, finish. Gives the first answer that is no 200, or the last. `whole`: what the vehicle signs for, where it differs. */
export async function uploadLog(
  vehicle: Logger,
  order: Order,
  segments: readonly LogSegment[],
  { whole = segments, nonce = order.nonce }: { whole?: readonly LogSegment[]; nonce?: string } = {},
): Promise<{ status: number; body: string }> {
  const begun = await vehicle.ask('POST', '/v1/telemetry/offline-logs', { order: order.id });
  if (begun.status !== 200) return begun;
  const path = `/v1/telemetry/offline-logs/${(JSON.parse(begun.body) as { upload: string }).upload}`;
  for (const [part, segment] of segments.entries()) {
    const answer = await vehicle.ask('PUT', `${path}/segments/${part}`, segment);
    if (answer.status !== 200) return answer;
  }
  const [first, last] = [whole[0]?.head, whole.at(-1)?.head];
  const delivery = {
    typ: 'outrider/log-delivery/v1',
    device_id: vehicle.id,
    order: order.id,
    nonce,
    log: last?.log,
    first: first?.segment,
    last: last?.segment,
    head: sha256(canonical(last)),
  };
  return vehicle.ask('POST', `${path}/finish`, { delivery, signature: vehicle.sign(canonical(delivery)) });
}
