import { createPublicKey } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from '@jest/globals';
import { verificationKeyOf } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { DeviceId, Thumbprint } from '@outrider/ids';
import type { FetchOrder } from './fetch-order.js';
import { checkDelivery, readDelivery } from './log-delivery.js';
import { readSegment } from './log-segment.js';
import type { DeliveryBody, SegmentBody } from './offline-log.fixture.js';
import { checkLastHead, type LogPosition, orDisorder, verifySegment, withAbsent } from './verify-log.js';

const FOLDER = join(import.meta.dirname, '../../../../vectors/offline-log');

interface Vector {
  name: string;
  device_id: string;
  public_key: string;
  order: { id: string; nonce: string; stream: string; epoch: number; ranges: [number, number][] };
  announced?: Record<string, string>;
  certificate?: { not_before: number; not_after: number; superseded_at?: number; revoked_at?: number };
  segments: SegmentBody[];
  delivery: DeliveryBody;
  expected: { records: number } | { code: string; segment?: number; record?: number | null; seq?: number | null };
}

function outcome(vector: Vector): Vector['expected'] {
  const deviceId = DeviceId.parse(vector.device_id);
  const key = verificationKeyOf(
    createPublicKey({ key: Buffer.from(vector.public_key, 'base64'), type: 'spki', format: 'der' }),
  );
  const { not_before = 0, not_after = 1e11, superseded_at, revoked_at } = vector.certificate ?? {};
  const status = revoked_at ? 'revoked' : superseded_at ? 'superseded' : 'live';
  const signer = {
    thumbprint: Thumbprint.parse('A'.repeat(43)),
    key,
    validity: { notBeforeMs: not_before * 1000, notAfterMs: not_after * 1000 },
    standing: {
      status,
      ...(superseded_at ? { supersededAtMs: superseded_at * 1000 } : {}),
      ...(revoked_at ? { revokedAtMs: revoked_at * 1000 } : {}),
    },
  } as const;
  const order = { ...vector.order, deviceId } as unknown as FetchOrder;
  try {
    const sent = readDelivery(Buffer.from(JSON.stringify(vector.delivery)));
    checkDelivery(sent, deviceId, key, order);
    let position: LogPosition | undefined;
    let records = 0;
    for (const body of vector.segments) {
      const next = verifySegment(position, readSegment(Buffer.from(JSON.stringify(body))), {
        deviceId,
        order,
        delivery: sent.delivery,
        signerOf: () => signer,
        announced: (segment) => vector.announced?.[segment],
      });
      position = next.position;
      records += next.verified.records.length;
    }
    checkLastHead(position!, sent.delivery);
    return { records };
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    const numbers = vector.segments.map(({ head }) => head.segment as number);
    const { first = 1, last = 1 } = vector.delivery.delivery as { first?: number; last?: number };
    const disorder = orDisorder(error, numbers);
    const fault = 'segment' in disorder.members ? withAbsent(disorder, numbers, { first, last }) : disorder;
    return { code: fault.code, ...fault.members };
  }
}

describe('a log is taken whole or refused at its first fault', () => {
  const files = existsSync(FOLDER) ? readdirSync(FOLDER).sort() : [];
  it('has its vectors', () => expect(files.length).toBeGreaterThan(20));
  test.each(files.map((file) => file.replace(/\.json$/, '')))('%s', (file) => {
    const vector = JSON.parse(readFileSync(join(FOLDER, `${file}.json`), 'utf8')) as Vector;
    expect(outcome(vector)).toEqual(vector.expected);
  });
});
