/** A telemetry message as a vehicle signs it. */
import { createPrivateKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface Payload {
  readonly device_id: string;
  readonly seq: number;
  readonly ts: number;
  readonly telemetry: Readonly<Record<string, string | number | boolean>>;
}

/** Seconds since the epoch, whole. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

export function payloadOf(deviceId: string, seq: number, ts = nowSeconds()): Payload {
  return { device_id: deviceId, seq, ts, telemetry: { lat: 37.42, lon: -122.08, speed: 42.5 } };
}

/** The signed bytes: keys sorted, no white space. For these payloads that is all that RFC 8785 asks. */
export function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
}

/** Signed by Node's crypto; the key's type fixes the algorithm. Hex. */
export function signed(payload: Payload, keyFile: string): { payload: Payload; signature: string } {
  const key = createPrivateKey(readFileSync(keyFile));
  const digest = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const signature = sign(digest, Buffer.from(canonical(payload)), { key, dsaEncoding: 'ieee-p1363' });
  return { payload, signature: signature.toString('hex') };
}
