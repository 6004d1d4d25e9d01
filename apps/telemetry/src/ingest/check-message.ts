/** Decides all that can be said of one message without the window: binding, signature, shape, skew, in this order (DESIGN §6). */
import { signedForms } from '@outrider/canonicalization';
import { decodeSignature, type VerificationKey, verifySignature } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import type { DeviceId, Epoch, SequenceNumber, StreamName, Thumbprint } from '@outrider/ids';
import type { Envelope } from './envelope.js';
import { DEFAULT_EPOCH, DEFAULT_STREAM, parsePayload, recordDigest } from './telemetry-payload.js';

/** Whose key the message must verify under. */
export interface Signer {
  readonly thumbprint: Thumbprint;
  readonly key: VerificationKey;
}

/** A message that passed every check but epoch and window. `ts` in seconds, as the vehicle says. */
export interface VerifiedRecord {
  readonly deviceId: DeviceId;
  readonly stream: StreamName;
  readonly epoch: Epoch;
  readonly seq: SequenceNumber;
  readonly ts: number;
  /** The payload exactly as received. */
  readonly payload: Uint8Array;
  /** The signature's text as received. */
  readonly signature: string;
  readonly thumbprint: Thumbprint;
  /** Hex SHA-256 of the canonical record. */
  readonly canonicalSha256: string;
}

export interface SkewRule {
  readonly nowMs: number;
  /** How far ahead or behind `ts` may be. */
  readonly skewSeconds: number;
}

/** @throws DomainError `telemetry.wrong_device` unless the payload names the device that token and certificate agree on. */
export function checkBinding(envelope: Envelope, deviceId: DeviceId): void {
  if (envelope.deviceId !== deviceId) throw new DomainError('telemetry.wrong_device');
}

/**
 * For a message that passed `checkBinding`.
 * @throws DomainError `telemetry.bad_signature`, then `telemetry.invalid`, then `telemetry.skewed`
 */
export function checkMessage(envelope: Envelope, signer: Signer, rule: SkewRule): VerifiedRecord {
  const jcs = verifyEnvelope(envelope, signer.key);
  const value = envelope.payload.value();
  const payload = parsePayload(value);
  if (Math.abs(payload.ts * 1000 - rule.nowMs) > rule.skewSeconds * 1000) {
    throw new DomainError('telemetry.skewed', {
      detail: `ts is more than ${rule.skewSeconds} s from ${new Date(rule.nowMs).toISOString()}`,
    });
  }
  return {
    deviceId: payload.device_id,
    stream: payload.stream ?? DEFAULT_STREAM,
    epoch: payload.epoch ?? DEFAULT_EPOCH,
    seq: payload.seq,
    ts: payload.ts,
    payload: envelope.payload.raw,
    signature: envelope.signature,
    thumbprint: signer.thumbprint,
    canonicalSha256: recordDigest(value as Record<string, unknown>, jcs),
  };
}

/** JCS first, then the token-preserving forms where they differ. Gives the JCS bytes, whichever form was signed. */
function verifyEnvelope({ payload, signature }: Envelope, key: VerificationKey): Uint8Array {
  const bytes = decodeSignature(signature, key.algorithm);
  if (!bytes) throw new DomainError('telemetry.bad_signature', { detail: 'the signature does not fit the key' });
  let jcs: Uint8Array | undefined;
  for (const form of signedForms(payload)) {
    jcs ??= form;
    if (verifySignature(key, form, bytes)) return jcs;
  }
  throw new DomainError('telemetry.bad_signature');
}
