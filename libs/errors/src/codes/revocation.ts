/** Revocation, CRLs and the denylist. */
import type { CodeTable } from '../code-entry.js';

export const REVOCATION_CODES = {
  'revocation.target_missing': { status: 400, title: 'Name a serial, a thumbprint or a device.', retry: 'changed' },
  'revocation.target_conflict': {
    status: 409,
    title: 'The names given belong to different devices or certificates.',
    retry: 'changed',
  },
  'revocation.certificate_unknown': { status: 404, title: 'No such certificate is known.', retry: 'changed' },
  'revocation.reason_unknown': { status: 400, title: "The reason is none of RFC 5280's.", retry: 'changed' },
  'revocation.crl_not_found': { status: 404, title: 'There is no such CRL.', retry: 'never' },
} as const satisfies CodeTable;
