/** Decides all that can be said of one message without the window: binding, signature, shape, skew, in this order (DESIGN §6). */
import { signedForms } from '@outrider/canonicalization';
import { decodeSignature, type VerificationKey, verifySignature } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import type { Envelope } from './envelope.js';
import { DEFAULT_EPOCH, DEFAULT_STREAM, parsePayload, recordDigest } from './telemetry-payload.js';
import type { VerifiedRecord } from './verified-record.js';

/** Whose key the message must verify under. */
export interface Signer {
  readonly thumbprint: Thumbprint;
  readonly key: VerificationKey;
}

/** What every message of a request shares. `tokenId`: `jti` of its access token. */
export interface MessageContext extends SkewRule {
  readonly tokenId: string;
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
export function checkMessage(envelope: Envelope, signer: Signer, rule: MessageContext): VerifiedRecord {
  const jcs = verifyEnvelope(envelope, signer.key);
  const value = envelope.payload.value();
  const payload = parsePayload(value);
  if (Math.abs(payload.ts * 1000 - rule.nowMs) > rule.skewSeconds * 1000) {
    throw new DomainError('telemetry.skewed', {
      detail: `ts is more than ${rule.skewSeconds} s from ${new Date(rule.nowMs).toISOString()}`,
    });
  }
  const { raw } = envelope.payload;
  return {
    deviceId: payload.device_id,
    stream: payload.stream ?? DEFAULT_STREAM,
    epoch: payload.epoch ?? DEFAULT_EPOCH,
    seq: payload.seq,
    ts: payload.ts,
    thumbprint: signer.thumbprint,
    algorithm: signer.key.algorithm,
    tokenId: rule.tokenId,
    format: 'json',
    payload: raw,
    signature: envelope.signature,
    canonicalSha256: recordDigest(value as Record<string, unknown>, jcs),
    text: () => utf8(raw),
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

function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
