import { toDomainError } from '@outrider/platform/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { goneWith } from './gone.provider.js';
import type { StreamSink } from './streams.service.js';

/** A slow vehicle is behind by so much and no more: it is cut off and comes again. */
const MOST_UNSENT_BYTES = 262_144;

/** Answers with server-sent events. `end`: with what ended the stream, where it was no end of its own. */
export function sseSink(
  request: FastifyRequest,
  reply: FastifyReply,
): { sink: StreamSink; end: (error?: unknown) => void } {
  const signal = goneWith(request, reply);
  reply.hijack();
  const own = reply.getHeaders() as Record<string, string>;
  reply.raw.writeHead(200, { ...own, 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  reply.raw.socket?.setNoDelay(true);
  const write = (text: string) => {
    if (signal.aborted) return;
    if (reply.raw.writableLength > MOST_UNSENT_BYTES) reply.raw.destroy();
    else reply.raw.write(text);
  };
  const event = (name: string, data: object, id?: string) =>
    write(`${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  const end = (error?: unknown) => {
    if (error !== undefined) event('refused', { code: toDomainError(error).code });
    reply.raw.end();
  };
  return { sink: { event, keepAlive: () => write(': here\n\n'), signal }, end };
}
