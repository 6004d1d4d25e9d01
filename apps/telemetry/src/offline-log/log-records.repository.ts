import { Injectable } from '@nestjs/common';
import type { DeviceId, Epoch, StreamName } from '@outrider/ids';
import type { Database } from '@outrider/platform/postgres';
import type { VerifiedRecord } from '../ingest/verified-record.js';
import type { Connection } from '../store/connection.provider.js';
import type { FetchOrder, OrderId } from './fetch-order.js';
import type { SignedDelivery } from './log-delivery.js';
import type { LogSegmentFate } from './taken-in.js';

/** A live record was received within a day of its `ts`, more than any skew that may be configured and any wait for a commit. */
const DAY_SECONDS = 86_400;

interface DigestRow {
  seq: string;
  canonical_sha256: Buffer;
}

/** What was taken in from logs, beside the live messages. Both tables only grow. */
@Injectable()
export class LogRecordsRepository {
  /** Canonical digests, hex, of what is stored of some numbers by either way. `times`: the lowest and highest `ts` looked for. */
  async stored(
    tx: Connection,
    deviceId: DeviceId,
    of: { stream: StreamName; epoch: Epoch; from: number; to: number },
    times: readonly [number, number],
  ): Promise<Map<number, string>> {
    const { rows } = await tx.query<DigestRow>({
      name: 'log_records.stored',
      text: `
        SELECT seq, canonical_sha256 FROM messages
        WHERE device_id = $1 AND stream = $2 AND epoch = $3 AND seq BETWEEN $4 AND $5
          AND received_at BETWEEN to_timestamp($6) AND to_timestamp($7)
        UNION ALL
        SELECT seq, canonical_sha256 FROM log_records
        WHERE device_id = $1 AND stream = $2 AND epoch = $3 AND seq BETWEEN $4 AND $5`,
      values: [deviceId, of.stream, of.epoch, of.from, of.to, times[0] - DAY_SECONDS, times[1] + DAY_SECONDS],
    });
    return new Map(rows.map(({ seq, canonical_sha256 }) => [Number(seq), canonical_sha256.toString('hex')]));
  }

  /** Of live records, those whose number a log has brought, by `index`: whether it is the same record. */
  async known(
    tx: Connection,
    asked: readonly { readonly record: VerifiedRecord; readonly index: number }[],
  ): Promise<Map<number, boolean>> {
    const { rows } = await tx.query<{ n: number; same: boolean }>({
      name: 'log_records.known',
      text: `
        SELECT q.n, l.canonical_sha256 = decode(q.sha256, 'hex') AS same
        FROM unnest($1::int[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::text[])
          AS q(n, device_id, stream, epoch, seq, sha256)
        JOIN log_records l ON l.device_id = q.device_id AND l.stream = q.stream AND l.epoch = q.epoch AND l.seq = q.seq`,
      values: [
        asked.map(({ index }) => index),
        asked.map(({ record }) => record.deviceId),
        asked.map(({ record }) => record.stream),
        asked.map(({ record }) => record.epoch),
        asked.map(({ record }) => record.seq),
        asked.map(({ record }) => record.canonicalSha256),
      ],
    });
    return new Map(rows.map(({ n, same }) => [n, same]));
  }

  async addSegment(tx: Connection, order: FetchOrder, fate: LogSegmentFate): Promise<void> {
    const { segment, signer, records, standing, signerNow } = fate;
    const { head } = segment;
    await tx.query({
      name: 'log_segments.insert',
      text: `
        INSERT INTO log_segments (device_id, order_id, log, segment, format, head, head_sha256, signature, thumbprint,
          stream, epoch, seq, count, digests, signer, standing)
        VALUES ($1, $2, $3, $4, $5, $6, decode($7, 'hex'), $8, $9, $10, $11, $12, $13, decode($14, 'hex'), $15, $16)`,
      values: [
        order.deviceId,
        order.id,
        head.log,
        head.segment,
        segment.format,
        segment.bytes,
        segment.sha256,
        segment.signature ?? '',
        signer.thumbprint,
        head.stream,
        head.epoch,
        head.seq,
        head.count,
        records.length === 0 ? null : records.map(({ canonicalSha256 }) => canonicalSha256).join(''),
        signerNow,
        standing,
      ],
    });
  }

  /** Those of one segment that are taken in. Fails on a number that is there already: somebody else took it in meanwhile. */
  async add(tx: Connection, order: FetchOrder, fate: LogSegmentFate, tokenId: string): Promise<void> {
    const { segment, signer, accepted, standing } = fate;
    const { head } = segment;
    await tx.query({
      name: 'log_records.insert',
      text: `
        INSERT INTO log_records (device_id, stream, epoch, seq, received_at, ts, payload, canonical_sha256, order_id, log,
          segment, thumbprint, token_id, standing)
        SELECT $1, $2, $3, r.seq, now(), r.ts, r.payload, decode(r.sha256, 'hex'), $4, $5, $6, $7, $8, $9
        FROM unnest($10::bigint[], $11::float8[], $12::bytea[], $13::text[]) AS r(seq, ts, payload, sha256)`,
      values: [
        order.deviceId,
        head.stream,
        head.epoch,
        order.id,
        head.log,
        head.segment,
        signer.thumbprint,
        tokenId,
        standing,
        accepted.map((r) => r.seq),
        accepted.map((r) => r.ts),
        accepted.map((r) => Buffer.from(r.payload)),
        accepted.map((r) => r.canonicalSha256),
      ],
    });
  }

  /** What the live path stored of those numbers while the log was being taken in, as `stored` gives it. Under the device's lock. */
  async tookLive(
    tx: Connection,
    deviceId: DeviceId,
    of: { stream: StreamName; epoch: Epoch },
    seqs: readonly number[],
  ): Promise<Map<number, string>> {
    const { rows } = await tx.query<DigestRow>({
      text: `
        SELECT seq, canonical_sha256 FROM messages WHERE device_id = $1 AND received_at >= now() - interval '1 minute'
          AND stream = $2 AND epoch = $3 AND seq = ANY($4::bigint[])`,
      values: [deviceId, of.stream, of.epoch, seqs],
    });
    return new Map(rows.map(({ seq, canonical_sha256 }) => [Number(seq), canonical_sha256.toString('hex')]));
  }

  /** The order is answered: for good, by the key of the table. The device is told apart from now on, for the live path. */
  async fulfil(
    tx: Connection,
    order: FetchOrder,
    sent: SignedDelivery,
    thumbprint: string,
    answer: object,
  ): Promise<void> {
    await tx.query({
      text: `
        INSERT INTO fetch_order_ends (device_id, order_id, how, ended_by, delivery, delivery_sha256, signature, thumbprint, answer)
        VALUES ($1, $2, 'fulfilled', $1, $3, decode($4, 'hex'), $5, $6, $7)`,
      values: [
        order.deviceId,
        order.id,
        Buffer.from(sent.signed),
        sent.sha256,
        sent.signature,
        thumbprint,
        JSON.stringify(answer),
      ],
    });
    await tx.query({ text: 'UPDATE devices SET backfilled = true WHERE device_id = $1', values: [order.deviceId] });
  }

  /** The answer that was given to this very delivery before. */
  async answered(
    database: Database,
    deviceId: DeviceId,
    orderId: OrderId,
    sha256: string,
  ): Promise<object | undefined> {
    const rows = await database.query<{ answer: object }>(
      `SELECT answer FROM fetch_order_ends
       WHERE device_id = $1 AND order_id = $2 AND how = 'fulfilled' AND delivery_sha256 = decode($3, 'hex')`,
      [deviceId, orderId, sha256],
    );
    return rows[0]?.answer;
  }
}
