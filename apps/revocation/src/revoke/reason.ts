/** Reads a revocation reason however operators write it: `key-compromise`, `keyCompromise`, `Key Compromise`. */
import { RevocationReason } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';

const BY_LETTERS = new Map(RevocationReason.options.map((reason) => [letters(reason), reason]));

/**
 * Absent: `unspecified`. `removeFromCRL` is none: it ends a hold in a delta CRL (RFC 5280 §5.3.1).
 * @throws DomainError `revocation.reason_unknown`
 */
export function parseReason(text: string | undefined): RevocationReason {
  if (text === undefined) return 'unspecified';
  const reason = BY_LETTERS.get(letters(text));
  if (!reason)
    throw new DomainError('revocation.reason_unknown', { detail: `one of ${RevocationReason.options.join(', ')}` });
  return reason;
}

function letters(text: string): string {
  return text.toLowerCase().replaceAll(/[-_ ]/g, '');
}
