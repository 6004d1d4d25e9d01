import { once } from 'node:events';
import { DomainError } from '@outrider/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { toDomainError } from './problem.filter.js';

/** A reader that takes nothing for this long is cut: it holds a place that others wait for. */
const STALLED_MS = 30_000;

/** An answer of many parts, written as fast as it is read and no faster; what is not written is not made either. */
export class StreamedAnswer {
  private readonly gone = new AbortController();

  /** The status is out with this: what fails later is said in the stream. */
  constructor(
    request: FastifyRequest,
    private readonly reply: FastifyReply,
    contentType: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    if (request.raw.socket.destroyed) this.gone.abort();
    reply.raw.once('close', () => this.gone.abort());
    reply.hijack();
    const own = reply.getHeaders() as Record<string, string>;
    reply.raw.writeHead(200, { ...own, 'content-type': contentType, 'cache-control': 'no-store', ...headers });
    reply.raw.flushHeaders();
  }

  /** Aborts when the reader hangs up, or was cut. */
  get signal(): AbortSignal {
    return this.gone.signal;
  }

  /** False once nobody reads any more. Waits while the reader is slower than we are. */
  async write(text: string | Uint8Array): Promise<boolean> {
    if (this.signal.aborted) return false;
    if (this.reply.raw.write(text)) return true;
    const stalled = setTimeout(() => this.cut(), STALLED_MS);
    await once(this.reply.raw, 'drain', { signal: this.signal }).catch(() => undefined);
    clearTimeout(stalled);
    return !this.signal.aborted;
  }

  /** Bytes that the reader has not taken yet. */
  get waitingBytes(): number {
    return this.reply.raw.writableLength;
  }

  end(): void {
    if (!this.signal.aborted) this.reply.raw.end();
  }

  /** In the middle of the stream, so that no reader takes what it has for the whole. */
  cut(): void {
    this.gone.abort();
    this.reply.raw.destroy();
  }
}

/** How an event is written: a line of NDJSON, or a server-sent event. */
export function ndjson(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

export function sse(event: string, value: object, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(value)}\n\n`;
}

/** What went wrong, as a part of a stream whose status is out already. */
export function failureOf(error: unknown): { code: string; title: string; detail?: string } {
  const { code, title, detail } = toDomainError(error);
  return { code, title, ...(detail ? { detail } : {}) };
}

/** @throws DomainError `request.not_acceptable` */
export function accepted<T extends string>(offer: T | undefined, offers: readonly T[]): T {
  if (offer !== undefined) return offer;
  throw new DomainError('request.not_acceptable', { detail: `this is ${offers.join(' or ')}` });
}
