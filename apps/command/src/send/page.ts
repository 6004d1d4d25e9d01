/** A page of a list, the newest first: what its query may say. */
import { z } from 'zod';

/** `before`: the `next` of the page before. */
export const PageQuery = z.strictObject({
  before: z
    .string()
    .regex(/^\d{1,18}$/)
    .optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});
export type PageQuery = z.infer<typeof PageQuery>;
