/** A service's refusal (RFC 9457, or OAuth's and EST's own shapes) as one line: `code: title (detail)`. */
import { z } from 'zod';

const Document = z.object({
  code: z.string().optional(),
  title: z.string().optional(),
  detail: z.string().optional(),
  traceId: z.string().optional(),
});

export class Problem extends Error {
  override readonly name = 'Problem';

  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string | undefined,
    readonly document: unknown,
  ) {
    super(detail && detail !== title ? `${code}: ${title} (${detail})` : `${code}: ${title}`);
  }

  /** `body`: whatever came with a status of 400 or above. */
  static of(status: number, body: unknown): Problem {
    const { code, title, detail } = Document.safeParse(body).data ?? {};
    return new Problem(status, code ?? `http.${status}`, title ?? 'The service refused.', detail, body);
  }
}
