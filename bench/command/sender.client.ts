/** An operator's program that sends commands over kept connections. */
import { randomUUID } from 'node:crypto';
import { Agent } from 'undici';
import type { Suite } from '../suite/suite.client.js';

export class CommandSender {
  private readonly agent: Agent;

  constructor(private readonly suite: Suite) {
    this.agent = new Agent({ connections: 32, pipelining: 1, connect: { ca: suite.serverCa } });
  }

  /** Returns the command's id. */
  async send(deviceId: string, body: object = { name: 'honk' }): Promise<string> {
    const { statusCode, body: answer } = await this.agent.request({
      origin: this.suite.operatorUrl('command', ''),
      path: `/v1/vehicles/${deviceId}/commands`,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': randomUUID(),
        authorization: this.suite.operatorToken(),
      },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    if (statusCode !== 202) throw new Error(`send: ${statusCode} ${text.slice(0, 300)}`);
    return (JSON.parse(text) as { id: string }).id;
  }

  close(): Promise<void> {
    return this.agent.close();
  }
}
