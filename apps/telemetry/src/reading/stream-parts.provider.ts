import { requireStillAdmitted } from '@outrider/platform/admission';
import { StreamedAnswer } from '@outrider/platform/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { unlessWithdrawn } from './withdrawn.js';

/** How a long answer is written. */
export interface LongAnswer<Part> {
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
  text(part: Part): string;
  /** What a failure in the middle says, as the last part; without it the answer is cut off, so that nobody takes it for the whole. */
  failed?(error: unknown): string;
}

/**
 * Writes a long answer part by part, as fast as it is read, while the right to it stands. The first part comes before the status: a
 * PostgreSQL that is away is a 503.
 */
export async function streamParts<Part>(
  request: FastifyRequest,
  reply: FastifyReply,
  parts: AsyncGenerator<Part, void, undefined>,
  { contentType, headers = {}, text, failed }: LongAnswer<Part>,
): Promise<void> {
  let next = await parts.next();
  const answer = new StreamedAnswer(request, reply, contentType, headers);
  const check = unlessWithdrawn(
    () => requireStillAdmitted(request),
    () => performance.now(),
  );
  try {
    for (; !next.done; next = await parts.next()) {
      check();
      if (!(await answer.write(text(next.value)))) return;
    }
  } catch (error) {
    if (!failed) {
      answer.cut();
      throw error;
    }
    await answer.write(failed(error));
  }
  answer.end();
}
