import { Injectable } from '@nestjs/common';
import type { QueryConfig } from 'pg';
import type { VerifiedRecord } from '../ingest/verified-record.js';
import { byteaArray, float8Array, int4Array, int8Array, textArray } from './binary-array.js';
import type { Connection } from './connection.provider.js';

/** The raw signed messages. Insert and select are all that the runtime role may do to them. */
@Injectable()
export class MessagesRepository {
  /** The statement that stores accepted records; `received_at` is the transaction's start by PostgreSQL's clock, the same for all of them. */
  insertion(records: readonly VerifiedRecord[]): QueryConfig {
    return {
      name: 'messages.insert',
      text: `
        INSERT INTO messages
          (device_id, received_at, stream, epoch, seq, ts, thumbprint, canonical_sha256, signature, payload,
           format, algorithm, token_id, batch_sha256, batch_index)
        SELECT device_id, now(), stream, epoch, seq, ts, thumbprint, sha256, signature, payload,
          format, algorithm, token_id, batch_sha256, batch_index
        FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::float8[], $6::text[], $7::bytea[], $8::text[], $9::bytea[],
            $10::text[], $11::text[], $12::text[], $13::bytea[], $14::int[])
          AS r(device_id, stream, epoch, seq, ts, thumbprint, sha256, signature, payload,
            format, algorithm, token_id, batch_sha256, batch_index)`,
      values: [
        textArray(records.map((r) => r.deviceId)),
        textArray(records.map((r) => r.stream)),
        int4Array(records.map((r) => r.epoch)),
        int8Array(records.map((r) => r.seq)),
        float8Array(records.map((r) => r.ts)),
        textArray(records.map((r) => r.thumbprint)),
        byteaArray(records.map((r) => Buffer.from(r.canonicalSha256, 'hex'))),
        textArray(records.map((r) => r.signature)),
        byteaArray(records.map((r) => r.payload)),
        textArray(records.map((r) => r.format)),
        textArray(records.map((r) => r.algorithm)),
        textArray(records.map((r) => r.tokenId)),
        byteaArray(records.map((r) => r.batch?.of.sha256 ?? null)),
        int4Array(records.map((r) => r.batch?.index ?? null)),
      ],
    };
  }

  /** The statement that stores the signed batches that the records came in, each once, with the same `received_at`. */
  batchesInsertion(records: readonly VerifiedRecord[]): QueryConfig | undefined {
    const batches = new Map(records.flatMap((record) => (record.batch ? [[record.batch.of, record] as const] : [])));
    if (batches.size === 0) return undefined;
    const rows = [...batches];
    return {
      name: 'batches.insert',
      text: `
        INSERT INTO batches (device_id, received_at, sha256, format, bytes, signature, thumbprint)
        SELECT device_id, now(), sha256, format, bytes, signature, thumbprint
        FROM unnest($1::text[], $2::bytea[], $3::text[], $4::bytea[], $5::text[], $6::text[])
          AS b(device_id, sha256, format, bytes, signature, thumbprint)
        ON CONFLICT DO NOTHING`,
      values: [
        textArray(rows.map(([, { deviceId }]) => deviceId)),
        byteaArray(rows.map(([{ sha256 }]) => sha256)),
        textArray(rows.map(([{ format }]) => format)),
        byteaArray(rows.map(([{ bytes }]) => bytes)),
        textArray(rows.map(([{ signature }]) => signature)),
        textArray(rows.map(([, { thumbprint }]) => thumbprint)),
      ],
    };
  }

  /**
   * Which of the records are stored already, by number and digest; gives indexes into `records`. The same record has the same `ts`,
   * which was within `marginSeconds` of its receipt, so that two partitions at most are looked at.
   */
  async findStored(
    tx: Connection,
    records: readonly VerifiedRecord[],
    marginSeconds: number,
  ): Promise<ReadonlySet<number>> {
    const times = records.map((r) => r.ts);
    const { rows } = await tx.query<{ n: number }>({
      name: 'messages.findStored',
      // LATERAL with LIMIT: an index probe for each record, whatever the planner thinks of the tables' sizes.
      text: `
        SELECT q.n
        FROM unnest($1::int[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::float8[], $7::text[])
          AS q(n, device_id, stream, epoch, seq, ts, sha256)
        CROSS JOIN LATERAL (
          SELECT FROM messages m
          WHERE m.device_id = q.device_id AND m.stream = q.stream AND m.epoch = q.epoch AND m.seq = q.seq
            AND m.received_at BETWEEN to_timestamp(q.ts - $8) AND to_timestamp(q.ts + $8)
            AND m.received_at BETWEEN to_timestamp($9) AND to_timestamp($10)
            AND m.canonical_sha256 = decode(q.sha256, 'hex')
          LIMIT 1
        ) AS stored`,
      values: [
        records.map((_, index) => index),
        records.map((r) => r.deviceId),
        records.map((r) => r.stream),
        records.map((r) => r.epoch),
        records.map((r) => r.seq),
        times,
        records.map((r) => r.canonicalSha256),
        marginSeconds,
        Math.min(...times) - marginSeconds,
        Math.max(...times) + marginSeconds,
      ],
    });
    return new Set(rows.map(({ n }) => n));
  }
}
