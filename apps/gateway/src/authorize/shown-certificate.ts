/** Decides which certificate an edge says its client showed, whatever its way of saying it. */
import { type ForwardedCertificate, forwardedCertificate } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import type { ShownCertificate } from './edge-question.js';

const MAX_LENGTH = 65_536;
const MAX_CHAIN = 4;

/** For a cache: undefined where nothing was shown. */
export function shownKey({ clientCert, clientCertChain, xfcc, barePem }: ShownCertificate): string | undefined {
  const given = [clientCert, clientCertChain, xfcc, barePem];
  if (given.every((one) => one === undefined)) return undefined;
  return given.map((one) => one ?? '').join('\n');
}

/**
 * Undefined where the client showed none.
 * @throws DomainError `auth.forwarded_certificate_invalid`
 */
export function shownCertificate(shown: ShownCertificate): ForwardedCertificate | undefined {
  if (shown.barePem === undefined) return forwardedCertificate(shown);
  if (shown.barePem.length > MAX_LENGTH) throw invalid('too long');
  const [leaf, ...chain] = unescaped(shown.barePem).split(',').map(der);
  if (!leaf) throw invalid('nothing');
  if (chain.length > MAX_CHAIN) throw invalid(`more than ${MAX_CHAIN} certificates of a chain`);
  return { leaf, chain };
}

function unescaped(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw invalid('not URL encoded', cause);
  }
}

/** Base64 in its one spelling. */
function der(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0 || bytes.toString('base64') !== text) throw invalid('not base64');
  return bytes;
}

function invalid(detail: string, cause?: unknown): DomainError {
  return new DomainError('auth.forwarded_certificate_invalid', { detail, ...(cause === undefined ? {} : { cause }) });
}
