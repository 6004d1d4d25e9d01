/** A list as every operator API answers it. */
import { z } from 'zod';

/** `next` is `after` of the next page, null behind the last. */
export function page<S extends z.ZodType>(item: S) {
  return z.strictObject({ items: z.array(item), next: z.string().nullable() });
}
