/** Decides all that can be said of one message without the window: binding, signature, shape, skew, in this order. */
import { canonicalize } from '@outrider/canonicalization';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { checkBatch } from './check-batch.js';
import type { Envelope } from './envelope.js';
import type { MessageContext, Signer } from './message-context.js';
import { inTime } from './skew.js';
import {
  DEFAULT_EPOCH,
  DEFAULT_STREAM,
  parsePayload,
  recordDigest,
  TEXT_TOO_LONG,
  textFits,
} from './telemetry-payload.js';
import type { Checked, VerifiedRecord } from './verified-record.js';
import { payloadValue, verifyEnvelope } from './verify-envelope.js';

/** @throws DomainError `telemetry.wrong_device` unless the payload names the device that token and certificate agree on. */
export function checkBinding(envelope: Envelope, deviceId: DeviceId): void {
  if (envelope.deviceId !== deviceId) throw new DomainError('telemetry.wrong_device');
}

/**
 * For a message that passed `checkBinding`: its record, or those of a signed batch, each verified or refused with
 * `telemetry.bad_signature`, then `telemetry.invalid`, then `telemetry.skewed`.
 */
export function checkMessage(envelope: Envelope, signer: Signer, context: MessageContext): readonly Checked[] {
  if (envelope.batchOf !== undefined) return checkBatch(envelope, envelope.batchOf, signer, context);
  try {
    const record = readRecord(envelope, signer, context);
    return [inTime(record, record.ts, context)];
  } catch (error) {
    if (error instanceof DomainError) return [{ refused: error, seq: envelope.seq }];
    throw error;
  }
}

function readRecord(envelope: Envelope, { thumbprint, key }: Signer, { tokenId }: MessageContext): VerifiedRecord {
  const value = payloadValue(envelope);
  const jcs = canonicalize(value);
  verifyEnvelope(envelope, key, jcs);
  const { device_id, stream, epoch, seq, ts } = parsePayload(value);
  return {
    deviceId: device_id,
    stream: stream ?? DEFAULT_STREAM,
    epoch: epoch ?? DEFAULT_EPOCH,
    seq,
    ts,
    thumbprint,
    algorithm: key.algorithm,
    tokenId,
    ...storedForm(envelope, jcs),
    canonicalSha256: recordDigest(value, jcs),
  };
}

function storedForm(
  envelope: Envelope,
  jcs: string,
): Pick<VerifiedRecord, 'format' | 'payload' | 'signature' | 'text'> {
  if (envelope.format === 'cose') {
    if (!textFits(jcs)) throw new DomainError('telemetry.invalid', { detail: TEXT_TOO_LONG });
    return { format: 'cose', payload: envelope.bytes, signature: null, text: () => jcs };
  }
  const { raw } = envelope.payload;
  const text = () => Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('utf8');
  if (envelope.format === 'jws') return { format: 'jws', payload: envelope.bytes, signature: null, text };
  return { format: 'json', payload: raw, signature: envelope.signature, text };
}
