/** Reads a revocation reason however operators write it (`key-compromise`, `keyCompromise`, `Key Compromise`), and weighs reasons. */
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

/** A hold can be taken back; what is compromised never comes back; of all between the first stands. */
function gravity(reason: RevocationReason): number {
  return reason === 'keyCompromise' ? 2 : reason === 'certificateHold' ? 0 : 1;
}

/** Whether `reason` is news where these stand: a second revocation changes nothing unless it is graver. */
export function isGraver(reason: RevocationReason, standing: readonly RevocationReason[]): boolean {
  return standing.every((other) => gravity(other) < gravity(reason));
}

/** The reason that stands once `asked` is added to those before, in their order. */
export function standingReason(asked: RevocationReason, before: readonly RevocationReason[]): RevocationReason {
  return [...before, asked].reduce((stands, next) => (gravity(next) > gravity(stands) ? next : stands));
}
