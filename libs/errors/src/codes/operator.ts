/** Operators' accounts by the API. */
import type { CodeTable } from '../code-entry.js';

export const OPERATOR_CODES = {
  'operator.not_found': { status: 404, title: 'There is no such operator.', retry: 'never' },
  'operator.exists': { status: 409, title: 'An account has this client id.', retry: 'changed' },
  'operator.own_account': {
    status: 403,
    title: 'Nobody makes or changes accounts of their own; somebody else must.',
    retry: 'never',
  },
  'operator.role_too_wide': { status: 403, title: 'The role carries what yours do not.', retry: 'changed' },
  'operator.person_has_no_key': { status: 409, title: 'A person signs in, and has no key.', retry: 'never' },
} as const satisfies CodeTable;
