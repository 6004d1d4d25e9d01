/** Policies and geofences: what an operator puts in force, and what follows from it. */
import type { CodeTable } from '../code-entry.js';

export const POLICY_CODES = {
  'policy.invalid': { status: 400, title: 'The policies do not hold against their schema.', retry: 'changed' },
  'policy.denied': { status: 403, title: 'A policy does not allow this now.', retry: 'later' },
  'policy.unavailable': {
    status: 503,
    title: 'No policies are in force, so nothing that needs them is allowed.',
    retry: 'later',
  },
  'policy.geofence_not_found': { status: 404, title: 'There is no such geofence.', retry: 'changed' },
  'policy.geofence_invalid': { status: 400, title: 'The geofence is no GeoJSON polygon.', retry: 'changed' },
} as const satisfies CodeTable;
