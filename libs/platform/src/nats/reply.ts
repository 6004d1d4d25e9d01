/** The envelope of a reply over NATS: `{"ok": ...}` or `{"error": {code, detail, retryAfterSeconds}}`. */
import type { RequestContract } from '@outrider/contracts';
import { DomainError, isErrorCode } from '@outrider/errors';
import { z } from 'zod';

const ErrorReply = z.object({
  error: z.object({ code: z.string(), detail: z.string().optional(), retryAfterSeconds: z.number().optional() }),
});

export function encodeReply(ok: unknown): string {
  return JSON.stringify({ ok });
}

/** A bug's message stays inside: the caller learns `service.internal` alone. */
export function encodeError(error: unknown): string {
  if (!(error instanceof DomainError)) return JSON.stringify({ error: { code: 'service.internal' } });
  const { code, detail, retryAfterSeconds } = error;
  return JSON.stringify({ error: { code, detail, retryAfterSeconds } });
}

/** The reply's content, or the DomainError it carries; `service.upstream_invalid` for anything out of contract. */
export function decodeReply<P extends z.ZodType, R extends z.ZodType>(
  contract: RequestContract<P, R>,
  data: Uint8Array,
): z.output<R> {
  let envelope: unknown;
  try {
    envelope = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
  } catch (cause) {
    throw invalid(contract, cause);
  }
  const failed = ErrorReply.safeParse(envelope);
  if (failed.success) {
    const { code, detail, retryAfterSeconds } = failed.data.error;
    if (!isErrorCode(code)) throw invalid(contract, code);
    throw new DomainError(code, { ...(detail ? { detail } : {}), ...(retryAfterSeconds ? { retryAfterSeconds } : {}) });
  }
  const reply = contract.reply.safeParse((envelope as { ok?: unknown } | null)?.ok);
  if (!reply.success) throw invalid(contract, reply.error);
  return reply.data;
}

function invalid(contract: RequestContract, cause: unknown): DomainError {
  return new DomainError('service.upstream_invalid', {
    cause,
    detail: `${contract.subject}: the reply is out of contract`,
  });
}
