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
  'revocation.not_held': {
    status: 409,
    title: 'No hold stands there that could be released.',
    retry: 'changed',
  },
  'revocation.elevation_required': {
    status: 403,
    title: 'So many at once need the elevated scope ca:revoke-bulk.',
    retry: 'changed',
  },
  'revocation.job_not_found': { status: 404, title: 'There is no such revocation job.', retry: 'never' },
  'revocation.job_closed': { status: 409, title: 'The revocation job is over.', retry: 'never' },
  'revocation.job_conflict': {
    status: 409,
    title: 'A revocation job of this id was sent with other words.',
    retry: 'changed',
  },
  'revocation.job_receiving': {
    status: 409,
    title: 'The lines of this revocation job are just being received.',
    retry: 'later',
  },
  'revocation.crl_not_found': { status: 404, title: 'There is no such CRL.', retry: 'never' },
  'revocation.staple_unavailable': {
    status: 503,
    title: 'There is no OCSP answer to staple to this certificate.',
    retry: 'later',
  },
} as const satisfies CodeTable;
