/** Any request, before it means anything. */
import type { CodeTable } from '../code-entry.js';

export const REQUEST_CODES = {
  'request.malformed': { status: 400, title: 'The request could not be parsed.', retry: 'never' },
  'request.invalid': { status: 400, title: 'The request does not fit its schema.', retry: 'changed' },
  'request.too_large': { status: 413, title: 'The request body is larger than this route takes.', retry: 'changed' },
  'request.unsupported_media_type': { status: 415, title: 'This content type is not taken here.', retry: 'changed' },
  'request.not_acceptable': { status: 406, title: 'No representation fits the Accept header.', retry: 'changed' },
  'request.not_found': { status: 404, title: 'There is no such route on this listener.', retry: 'never' },
  'request.method_not_allowed': { status: 405, title: 'The method is not allowed on this route.', retry: 'never' },
  'request.header_missing': { status: 400, title: 'A required header is missing.', retry: 'changed' },
  'request.timeout': { status: 408, title: 'The request did not arrive in time.', retry: 'later' },
  'request.precondition_failed': { status: 412, title: 'It was changed by someone else meanwhile.', retry: 'changed' },
  'request.precondition_required': {
    status: 428,
    title: 'Say with If-Match which version you saw.',
    retry: 'changed',
  },
  'request.idempotency_mismatch': {
    status: 422,
    title: 'The idempotency key stands for another request.',
    retry: 'changed',
  },
  'request.too_many': { status: 429, title: 'Too many requests.', retry: 'later' },
  'service.unavailable': { status: 503, title: 'The service cannot answer just now.', retry: 'later' },
  'service.overloaded': { status: 503, title: 'The service is over its capacity.', retry: 'later' },
  'service.upstream_unavailable': { status: 503, title: 'A service this one needs did not answer.', retry: 'later' },
  'service.upstream_invalid': {
    status: 502,
    title: 'A service this one needs answered out of contract.',
    retry: 'later',
  },
  'service.internal': { status: 500, title: 'Something failed inside.', retry: 'later' },
} as const satisfies CodeTable;
