/** Requests as bytes: bodies that are announced and never sent, heads that are too large. */

import { readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { endpoints } from '../harness/endpoints.js';

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Bytes of a body that is announced and never sent. */
  readonly announced?: number;
}

export interface Said {
  readonly status: number;
  /** The media type alone. */
  readonly type: string;
  readonly text: string;
  readonly headers: IncomingMessage['headers'];
}

/** A stream is described by its beginning. */
const STREAMS = ['text/event-stream', 'application/x-ndjson'];

export class Client {
  private readonly agent: Agent;

  constructor(identity: { readonly certificate?: string; readonly key?: string } = {}) {
    const { certificate, key } = identity;
    const own = certificate && key ? { cert: readFileSync(certificate), key: readFileSync(key) } : {};
    this.agent = new Agent({ keepAlive: true, maxSockets: 8, ca: readFileSync(endpoints.trust.server), ...own });
  }

  /** `undefined`: the body that was announced is taken. */
  ask({ method, url, headers = {}, body, announced }: Asked): Promise<Said | undefined> {
    return new Promise((resolve, reject) => {
      const isTls = url.startsWith('https:');
      const length = announced ?? (body === undefined ? undefined : Buffer.byteLength(body));
      const sent = {
        ...headers,
        ...(length === undefined ? {} : { 'content-length': String(length) }),
        ...(announced === undefined ? {} : { expect: '100-continue' }),
      };
      const options = { method, headers: sent, timeout: 20_000, ...(isTls ? { agent: this.agent } : {}) };
      const request = (isTls ? httpsRequest : httpRequest)(url, options, (response) => {
        const said = {
          status: response.statusCode ?? 0,
          type: (response.headers['content-type'] ?? '').split(';', 1)[0] ?? '',
          headers: response.headers,
        };
        const done = (text: string) => {
          resolve({ ...said, text });
          if (announced !== undefined || STREAMS.includes(said.type)) request.destroy();
        };
        if (STREAMS.includes(said.type)) return done('');
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => done(Buffer.concat(parts).toString()));
        response.on('error', reject);
      });
      request.on('continue', () => {
        resolve(undefined);
        request.destroy();
      });
      request.on('timeout', () => request.destroy(new Error(`${method} ${url}: no answer within 20 s`)));
      request.on('error', reject);
      if (announced === undefined) request.end(body);
      else request.flushHeaders();
    });
  }

  close(): void {
    this.agent.destroy();
  }
}
