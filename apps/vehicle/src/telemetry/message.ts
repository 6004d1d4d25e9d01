/** Builds telemetry messages: what is signed (JCS, RFC 8785), and the bodies that carry them. */
import { canonicalize } from '@outrider/canonicalization';
import type { Measurement } from '../drive/drive.js';
import type { Position } from './position.js';

/** The fields that every stored record has; `kid` is left out where the connection's certificate is the signer. */
export interface SignedRecord {
  readonly payload: string;
  readonly signature: string;
  readonly thumbprint: string;
}

/**
 * The canonical payload text, whose bytes are signed. `ts`: seconds since the epoch. The first epoch goes unsaid, and so does the default
 * stream, so that the simplest message is what the protocol's page shows.
 */
export function telemetryPayload(deviceId: string, at: Position, ts: number, telemetry: Measurement): string {
  const epoch = at.epoch === 0 ? {} : { epoch: at.epoch };
  return canonicalize({ device_id: deviceId, ...epoch, seq: at.nextSeq, ts, telemetry: { ...telemetry } });
}

/** One record as an object, several as an array. The payload goes out as the very text that was signed. */
export function telemetryBody(records: readonly SignedRecord[], connectionThumbprint: string): string {
  const messages = records.map(({ payload, signature, thumbprint }) => {
    const kid = thumbprint === connectionThumbprint ? '' : `,"kid":${JSON.stringify(thumbprint)}`;
    return `{"payload":${payload},"signature":${JSON.stringify(signature)}${kid}}`;
  });
  return messages.length === 1 ? (messages[0] as string) : `[${messages.join(',')}]`;
}
