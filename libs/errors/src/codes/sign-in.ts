/** How people sign in. One answer for everything that is wrong with what somebody showed: what it was is for the decision log. */
import type { CodeTable } from '../code-entry.js';

export const SIGN_IN_CODES = {
  'sign_in.refused': { status: 401, title: 'The sign-in was refused.', retry: 'changed' },
  'sign_in.slow_down': { status: 429, title: 'Too many failed sign-ins; wait before the next.', retry: 'later' },
  'sign_in.not_open': { status: 401, title: 'There is no such sign-in, or it is over; begin again.', retry: 'changed' },
  'sign_in.factor_missing': { status: 409, title: 'The account has no such factor.', retry: 'changed' },
  'sign_in.factor_limit': {
    status: 409,
    title: 'The account has as many of these factors as it may.',
    retry: 'changed',
  },
  'sign_in.last_factor': {
    status: 409,
    title: 'The last second factor stays; enrol another one first.',
    retry: 'changed',
  },
  'sign_in.not_a_person': {
    status: 403,
    title: 'Only people have factors; this is a service account.',
    retry: 'never',
  },
  'sign_in.oidc_not_configured': { status: 404, title: 'No identity provider is configured.', retry: 'never' },
} as const satisfies CodeTable;
