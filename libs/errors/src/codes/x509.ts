/** Certificates, requests and CRLs. */
import type { CodeTable } from '../code-entry.js';

export const X509_CODES = {
  'x509.malformed': { status: 400, title: 'The DER could not be parsed.', retry: 'never' },
  'x509.chain_invalid': { status: 403, title: 'The certificate chain does not validate.', retry: 'never' },
  'x509.expired': { status: 403, title: 'The certificate is outside its validity.', retry: 'changed' },
  'x509.key_unsupported': { status: 400, title: 'The key type, curve or size is not allowed.', retry: 'changed' },
  'x509.signature_invalid': { status: 400, title: 'The signature does not verify.', retry: 'never' },
  'x509.extension_invalid': { status: 400, title: 'An extension is missing, unknown or not allowed.', retry: 'never' },
} as const satisfies CodeTable;
