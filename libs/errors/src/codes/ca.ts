/** fleet-ca. */
import type { CodeTable } from '../code-entry.js';

export const CA_CODES = {
  'ca.profile_unknown': { status: 400, title: 'There is no such certificate profile.', retry: 'never' },
  'ca.profile_invalid': { status: 500, title: 'The certificate profile is not valid.', retry: 'never' },
  'ca.authority_unknown': { status: 400, title: 'There is no such authority that signs here.', retry: 'never' },
  'ca.request_refused': { status: 403, title: 'The request does not fit its profile.', retry: 'changed' },
  'ca.requester_refused': { status: 403, title: 'The requesting service may not use this profile.', retry: 'never' },
  'ca.lint_failed': { status: 500, title: 'The certificate failed its lint and was not signed.', retry: 'never' },
  'ca.signature_wrong': {
    status: 500,
    title: 'The CA key returned a wrong signature; nothing was issued.',
    retry: 'later',
  },
  'ca.subject_denied': { status: 403, title: 'The device, key or certificate is on the denylist.', retry: 'never' },
  'ca.certificate_unknown': { status: 404, title: 'No such certificate was issued here.', retry: 'never' },
  'ca.key_unavailable': { status: 503, title: 'The CA key cannot be used just now.', retry: 'later' },
} as const satisfies CodeTable;
