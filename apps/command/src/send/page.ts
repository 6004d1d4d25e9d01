/** A page of a list, the newest first: what its query may say. */
import { z } from 'zod';

const Cursor = z.string().regex(/^\d{1,18}$/);

/** `after`: the `next` of the page before; `before`: its name of old. */
export const PageQuery = z.strictObject({
  after: Cursor.optional(),
  before: Cursor.optional().describe('The former name of `after`.'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});
export type PageQuery = z.infer<typeof PageQuery>;
