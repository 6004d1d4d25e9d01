/** Decides whether the body of a token request is a form, bounded and without duplicates (RFC 6749 §3.2, appendix B). */
import { DomainError } from '@outrider/errors';

/** Bytes: a client assertion of a few kilobytes fits, nothing much larger does. */
export const MAX_FORM_BYTES = 8192;
const MAX_PARAMETERS = 32;

/** Parameters by name. Those sent without a value are treated as not sent (RFC 6749 §3.2); unknown ones are ignored by who reads. */
export type TokenForm = ReadonlyMap<string, string>;

/** What a request says beside its form: its Content-Type, and whether it has an Authorization header. */
export interface FormEnvelope {
  /** Lower case, without parameters. */
  readonly mediaType: string;
  readonly hasAuthorization: boolean;
}

/**
 * The parameters of a token request.
 * @throws DomainError `request.unsupported_media_type`, `token.invalid_request`
 */
export function parseTokenForm(bytes: Uint8Array, { mediaType, hasAuthorization }: FormEnvelope): TokenForm {
  if (mediaType !== 'application/x-www-form-urlencoded') {
    throw new DomainError('request.unsupported_media_type', { detail: 'send application/x-www-form-urlencoded' });
  }
  // RFC 6749 §2.3: one authentication method a request. Ours are none of HTTP's, nor a shared secret.
  if (hasAuthorization) throw invalid('clients do not authenticate by an Authorization header here');
  if (bytes.length > MAX_FORM_BYTES) throw invalid(`a form of more than ${MAX_FORM_BYTES} bytes`);
  const form = parsePairs(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'));
  if (form.has('client_secret')) throw invalid('clients have no secrets here');
  for (const [name, value] of form) if (value === '') form.delete(name);
  return form;
}

/** A parameter that must be there. @throws DomainError `token.invalid_request` */
export function required(form: TokenForm, name: string): string {
  const value = form.get(name);
  if (value === undefined) throw invalid(`${name} is missing`);
  return value;
}

/** Both listeners serve this one grant. @throws DomainError `token.invalid_request`, `token.unsupported_grant_type` */
export function requireClientCredentials(form: TokenForm): void {
  if (required(form, 'grant_type') !== 'client_credentials') throw new DomainError('token.unsupported_grant_type');
}

function parsePairs(text: string): Map<string, string> {
  const form = new Map<string, string>();
  if (text === '') return form;
  const pairs = text.split('&', MAX_PARAMETERS + 1);
  if (pairs.length > MAX_PARAMETERS) throw invalid(`more than ${MAX_PARAMETERS} parameters`);
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = decode(equals < 0 ? pair : pair.slice(0, equals));
    if (form.has(name)) throw invalid('a parameter is given twice');
    form.set(name, decode(equals < 0 ? '' : pair.slice(equals + 1)));
  }
  return form;
}

/** What stands for itself: most of what clients send. */
const PLAIN = /^[\w.~:-]*$/;

/** Strict: stray bytes, broken percent signs and what is not UTF-8 are refused, never replaced. */
function decode(text: string): string {
  if (PLAIN.test(text)) return text;
  if (!/^(?:[\x21-\x24\x27-\x7e]|%[0-9A-Fa-f]{2})*$/.test(text) || /%(?![0-9A-Fa-f]{2})/.test(text)) {
    throw invalid('the form is not application/x-www-form-urlencoded');
  }
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (cause) {
    throw invalid('a parameter is not UTF-8', cause);
  }
}

function invalid(detail: string, cause?: unknown): DomainError {
  return new DomainError('token.invalid_request', { detail, ...(cause === undefined ? {} : { cause }) });
}
