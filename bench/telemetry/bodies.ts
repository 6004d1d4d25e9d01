/** Bodies of signed telemetry, as a vehicle makes them: signed ahead, since the vehicle's work is not what is measured. */
import type { KeyObject } from 'node:crypto';
import { canonicalize } from '@outrider/canonicalization';
import { JCS_TYP, sign } from '@outrider/crypto';

export type Shape = 'single' | 'array' | 'signed-batch';

const telemetry = (n: number) => ({ lat: 37.42 + n / 1e6, lon: -122.08, speed: 42.3, heading: n % 360, fuel: 0.63 });

/** One body with `count` records that take `seq` and the numbers after it. */
export function makeBody(shape: Shape, deviceId: string, key: KeyObject, seq: number, count: number): string {
  const ts = Math.floor(Date.now() / 1000);
  const numbers = Array.from({ length: count }, (_, index) => seq + index);
  if (shape === 'signed-batch') {
    const records = numbers.map((n) => ({ ts, telemetry: telemetry(n) }));
    const head = { typ: JCS_TYP.telemetryBatch, device_id: deviceId, stream: 'main', epoch: 0 };
    return signed(key, { ...head, seq, ts, records });
  }
  const messages = numbers.map((n) => signed(key, { device_id: deviceId, seq: n, ts, telemetry: telemetry(n) }));
  return shape === 'single' ? messages[0]! : `[${messages.join(',')}]`;
}

function signed(key: KeyObject, value: object): string {
  const payload = canonicalize(value);
  const signature = Buffer.from(sign(key, Buffer.from(payload))).toString('base64url');
  return `{"payload":${payload},"signature":"${signature}"}`;
}
