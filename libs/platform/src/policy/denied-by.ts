/** Reads from a refusal which policies it was by, for the decision log. */
import type { DomainError } from '@outrider/errors';

/** Undefined where no policies decided; empty where none permitted it. */
export function deniedBy({ members }: DomainError): string[] | undefined {
  const { policies } = members;
  return Array.isArray(policies) ? policies.map(String) : undefined;
}
