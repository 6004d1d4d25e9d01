/** Who enforces a revocation, as `?wait=enforced` answers it. */
import { SERVICES } from './endpoints.js';

/**
 * Whether an instance of each service enforces it. `pending` may name an instance that was killed a moment ago besides: it could be alive and cut off,
 * and is named until it would have failed closed.
 */
export function enforcedByAll({
  enforcedBy,
}: {
  readonly enforcedBy: readonly { readonly instance: string }[];
}): boolean {
  return SERVICES.every((service) =>
    enforcedBy.some(({ instance }) => instance.replace(/-[0-9a-f]{8}$/, '') === service),
  );
}
