import type { FastifyReply, FastifyRequest } from 'fastify';

/** Aborts when the vehicle hangs up, or has its answer. Asked of the response: a connection outlives many of them. */
export function goneWith(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  if (request.raw.socket.destroyed) gone.abort();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}
