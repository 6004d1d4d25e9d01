/** Rights for a reason and a time. */
import type { CodeTable } from '../code-entry.js';

export const ELEVATION_CODES = {
  'elevation.not_allowed': { status: 403, title: 'No role of the account may ask for this right.', retry: 'never' },
  'elevation.not_found': { status: 404, title: 'There is no such elevation.', retry: 'never' },
  'elevation.closed': { status: 409, title: 'The elevation was decided, or its time is over.', retry: 'never' },
  'elevation.too_many': {
    status: 409,
    title: 'Too many requests of this account wait for a decision.',
    retry: 'later',
  },
  'elevation.same_person': {
    status: 403,
    title: 'Somebody else than who stands behind the request must approve it.',
    retry: 'changed',
  },
} as const satisfies CodeTable;
