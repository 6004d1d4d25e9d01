/** Writes what is stored as the lines of an export. */
import { type ExportLine, encodeRaw } from '@outrider/evidence';
import type { KeptDelivery, KeptSegment } from '../reading/kept-log.js';
import { batchOf, logOf, type StoredMessage } from '../reading/stored-message.js';

export function recordLine(message: StoredMessage): Extract<ExportLine, { type: 'record' }> {
  const { device_id, stream, epoch, seq, ts, received_at, format, algorithm, token_id, thumbprint } = message;
  return {
    type: 'record',
    ...{ device_id, stream, epoch, seq: Number(seq), ts, received_at: received_at.toISOString() },
    ...{ format, algorithm, token_id, thumbprint },
    canonical_sha256: message.canonical_sha256.toString('hex'),
    payload: encodeRaw(format, message.payload),
    signature: message.signature,
    batch: batchOf(message),
    log: logOf(message),
  };
}

/** Undefined where the vehicle's word is gone: whoever verifies finds segments without it. */
export function deliveryLine(kept: KeptDelivery): Extract<ExportLine, { type: 'delivery' }> | undefined {
  const { order_id, log, received_at, delivery, signature, thumbprint } = kept;
  if (delivery === null || signature === null || thumbprint === null) return undefined;
  return {
    ...{ type: 'delivery', order: order_id, log, received_at: received_at.toISOString() },
    ...{ delivery: delivery.toString('utf8'), signature, thumbprint },
  };
}

export function segmentLine(kept: KeptSegment): Extract<ExportLine, { type: 'segment' }> {
  const { order_id, log, received_at, format, head, signature, thumbprint, digests, signer, standing } = kept;
  return {
    ...{ type: 'segment', order: order_id, log, segment: Number(kept.segment), received_at: received_at.toISOString() },
    ...{ format, head: encodeRaw(format, head), signature: format === 'json' ? signature : null },
    ...{ thumbprint, digests: digests?.toString('base64') ?? null, signer, standing },
  };
}

export function lineOf(line: ExportLine): string {
  return `${JSON.stringify(line)}\n`;
}
