/** A vehicle on a stream of commands: answers each at once with a signed outcome, and renews its token when it is asked to. */
import { createHash, X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { JWS_TYP, signJws } from '@outrider/crypto';
import { Agent } from 'undici';
import type { EnrolledVehicle, Suite } from '../suite/suite.client.js';

const KNOWN_MS = 30_000;

/** Milliseconds of the monotonic clock. */
export interface Heard {
  received(id: string, at: number): void;
  stored(id: string, at: number): void;
  failed(error: unknown): void;
}

export class StreamingVehicle {
  private readonly agent: Agent;
  private readonly kid: string;
  private token = '';
  private stopped = false;
  opened = 0;
  renewed = 0;

  constructor(
    private readonly suite: Suite,
    private readonly vehicle: EnrolledVehicle,
    private readonly heard: Heard,
  ) {
    this.agent = new Agent({ connections: 2, pipelining: 1, bodyTimeout: 60_000, connect: vehicle.tls });
    const der = new X509Certificate(vehicle.tls.cert).raw;
    this.kid = createHash('sha256').update(der).digest('base64url');
  }

  get deviceId(): string {
    return this.vehicle.deviceId;
  }

  /** Resolves once the stream is open; it is opened again whenever it ends. */
  async connect(): Promise<void> {
    this.token = await this.firstToken();
    await new Promise<void>((opened, failed) => void this.stream(opened).catch(failed));
  }

  /** What was just enrolled is known to the policies a moment later; a suite that has just started may not answer yet. */
  private async firstToken(): Promise<string> {
    for (const end = performance.now() + KNOWN_MS; ; ) {
      try {
        return await this.suite.token(this.vehicle, 'command:receive', this.agent);
      } catch (error) {
        if (performance.now() > end || !/policy\.denied|: 503 /.test(String(error))) throw error;
        await sleep(200);
      }
    }
  }

  async close(): Promise<void> {
    this.stopped = true;
    await this.agent.destroy();
  }

  private async stream(opened: () => void): Promise<void> {
    while (!this.stopped) {
      try {
        const { statusCode, body } = await this.agent.request({
          origin: this.suite.url('command', ''),
          path: '/v1/commands/stream',
          method: 'GET',
          headers: { authorization: `Bearer ${this.token}`, accept: 'text/event-stream' },
        });
        if (statusCode !== 200) throw new Error(`stream: ${statusCode} ${(await body.text()).slice(0, 200)}`);
        this.opened += 1;
        opened();
        let rest = '';
        for await (const chunk of body) {
          const at = performance.now();
          const parts = (rest + String(chunk)).split('\n\n');
          rest = parts.pop() ?? '';
          for (const part of parts) this.event(part, at);
        }
      } catch (error) {
        if (this.stopped) return;
        this.heard.failed(error);
        await sleep(500);
      }
      if (!this.stopped) this.token = await this.suite.token(this.vehicle, 'command:receive', this.agent);
    }
  }

  private event(part: string, at: number): void {
    const [, name, data] = /^event: (.+)\ndata: (.+)$/.exec(part) ?? [];
    if (name === 'command') {
      const { id, jws } = (JSON.parse(data!) as { command: { id: string; jws: string } }).command;
      this.heard.received(id, at);
      this.answer(id, jws).catch((error: unknown) => this.heard.failed(error));
    }
    if (name === 'token') {
      const { stream } = JSON.parse(data!) as { stream: string };
      this.renew(stream).catch((error: unknown) => this.heard.failed(error));
    }
  }

  private async answer(id: string, jws: string): Promise<void> {
    const payload = JSON.stringify({
      command_id: id,
      device_id: this.deviceId,
      request_hash: createHash('sha256').update(jws).digest('base64url'),
      result: 'succeeded',
      time: Math.floor(Date.now() / 1000),
    });
    const outcome = signJws({ header: { typ: JWS_TYP.outcome, kid: this.kid }, payload, key: this.vehicle.key });
    await this.post(`/v1/commands/${id}/outcome`, JSON.stringify({ outcome }));
    this.heard.stored(id, performance.now());
  }

  private async renew(stream: string): Promise<void> {
    this.token = await this.suite.token(this.vehicle, 'command:receive', this.agent);
    await this.post(`/v1/commands/stream/${stream}/token`);
    this.renewed += 1;
  }

  private async post(path: string, body?: string): Promise<void> {
    const { statusCode, body: answer } = await this.agent.request({
      origin: this.suite.url('command', ''),
      path,
      method: 'POST',
      headers: { authorization: `Bearer ${this.token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body } : {}),
    });
    const text = await answer.text();
    if (statusCode >= 300) throw new Error(`${path}: ${statusCode} ${text.slice(0, 200)}`);
  }
}
