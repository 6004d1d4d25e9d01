import type { KeyObject } from 'node:crypto';
import { canonicalize } from '@outrider/canonicalization';
import { sign } from '@outrider/crypto';
import type { Client } from 'undici';
import { z } from 'zod';

/** One vehicle that sends signed telemetry over one connection. */
export class Sender {
  private seq = 0;

  constructor(
    private readonly deviceId: string,
    private readonly key: KeyObject,
    private readonly client: Client,
    private readonly token: string,
  ) {}

  /** A body of `count` messages, signed ahead of the measurement: the vehicle's work is not what is measured. */
  body(count: number): string {
    const messages = Array.from({ length: count }, () => {
      const payload = canonicalize({
        device_id: this.deviceId,
        seq: ++this.seq,
        ts: Math.floor(Date.now() / 1000),
        telemetry: { lat: 37.42, lon: -122.08, speed: 42.3, heading: 271, fuel: 0.63 },
      });
      return `{"payload":${payload},"signature":"${Buffer.from(sign(this.key, Buffer.from(payload))).toString('base64url')}"}`;
    });
    return count === 1 ? messages[0]! : `[${messages.join(',')}]`;
  }

  /** Sends one body; gives how many messages were accepted. */
  async send(body: string): Promise<number> {
    const answer = await this.client.request({
      method: 'POST',
      path: '/v1/telemetry',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.token}` },
      body,
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`telemetry: ${answer.statusCode} ${text.slice(0, 300)}`);
    return z.object({ accepted: z.number() }).parse(JSON.parse(text)).accepted;
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
