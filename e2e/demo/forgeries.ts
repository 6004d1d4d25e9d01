/** What a man in the middle, or a thief of the key, does with messages: each must come to nothing. */

import { certificateFileOf, keyFileOf } from '../harness/agent-state.js';
import { type Payload, signed } from '../harness/message.js';
import { operator } from '../harness/operator.js';
import { Thief } from '../harness/thief.js';
import type { Timeline } from './timeline.js';

interface Stored {
  readonly payload: string;
  readonly signature: string;
  readonly seq: number;
}

export async function forgeries(timeline: Timeline, deviceId: string, state: string): Promise<void> {
  const read = await operator('telemetry', 'GET', `/v1/devices/${deviceId}/telemetry?limit=1`);
  const stored = read.body.items[0] as Stored;
  timeline.must(
    'the stored message is readable',
    read.status === 200 && typeof stored?.payload === 'string',
    read.body,
  );
  const payload = JSON.parse(stored.payload) as Payload;
  const copy = new Thief(certificateFileOf(state), await keyFileOf(state));
  const token = await copy.token(deviceId, 'telemetry:write');
  const send = async (what: string, body: string, status: number, verdict: string) => {
    const begun = performance.now();
    const seen = await copy.ask({ service: 'telemetry', method: 'POST', path: '/v1/telemetry', token, body });
    timeline.must(`${what}: ${status} ${verdict}`, seen.status === status && seen.body.includes(`"${verdict}"`), seen);
    timeline.line(`${what}: ${verdict}`, performance.now() - begun);
  };
  const exact = `{"payload":${stored.payload},"signature":"${stored.signature}"}`;
  await send('the same message again, byte for byte', exact, 200, 'duplicate');
  const moved = JSON.stringify({ ...payload, telemetry: { ...payload.telemetry, lat: 0 } });
  await send('its position changed', `{"payload":${moved},"signature":"${stored.signature}"}`, 422, 'bad_signature');
  const other = signed({ ...payload, telemetry: { speed: 1 } }, await keyFileOf(state));
  await send('its number used for another record, well signed', JSON.stringify(other), 409, 'replayed');
  const old = signed({ ...payload, seq: payload.seq + 500, ts: payload.ts - 300 }, await keyFileOf(state));
  await send('a record five minutes old, well signed', JSON.stringify(old), 422, 'skewed');
  const elsewhere = signed({ ...payload, device_id: 'device-of-another' }, await keyFileOf(state));
  await send("another vehicle's name, signed by this one", JSON.stringify(elsewhere), 403, 'wrong_device');
  await copy.close();
}
