/** Decides which client certificate a TLS-terminating proxy forwards, by RFC 9440 or by Envoy's XFCC; whether to believe it is not decided here. */
import { DomainError } from '@outrider/errors';

/** The fields as received, undefined where absent; several fields of one name arrive joined by commas. */
export interface ForwardedHeaders {
  readonly clientCert: string | undefined;
  readonly clientCertChain: string | undefined;
  readonly xfcc: string | undefined;
}

/** DER. `chain`: without the leaf, in the order sent. */
export interface ForwardedCertificate {
  readonly leaf: Uint8Array;
  readonly chain: readonly Uint8Array[];
}

const MAX_LEAF_BYTES = 8192;
const MAX_CHAIN = 4;

/**
 * Undefined where the proxy forwards none: its client showed no certificate. One way of forwarding at a time, exactly one leaf.
 * @throws DomainError `auth.forwarded_certificate_invalid` for anything else
 */
export function forwardedCertificate(headers: ForwardedHeaders): ForwardedCertificate | undefined {
  const { clientCert, clientCertChain, xfcc } = headers;
  if (clientCert !== undefined && xfcc !== undefined) throw invalid('Client-Cert and X-Forwarded-Client-Cert at once');
  if (clientCert !== undefined) {
    const leaf = byteSequence(clientCert);
    return { leaf, chain: clientCertChain === undefined ? [] : list(clientCertChain) };
  }
  if (clientCertChain !== undefined) throw invalid('Client-Cert-Chain without Client-Cert');
  return xfcc === undefined ? undefined : { leaf: envoyCertificate(xfcc), chain: [] };
}

/** A Structured Field Byte Sequence without parameters (RFC 9651 §3.3.5, RFC 9440 §2.1): padded base64 in its one spelling. */
function byteSequence(item: string): Uint8Array {
  const base64 = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(item.trim())?.[1];
  if (base64 === undefined || base64.length > (MAX_LEAF_BYTES / 3) * 4) throw invalid('no single byte sequence');
  return strictBase64(base64);
}

function list(field: string): Uint8Array[] {
  const items = field.split(',', MAX_CHAIN + 1);
  if (items.length > MAX_CHAIN) throw invalid(`more than ${MAX_CHAIN} certificates in Client-Cert-Chain`);
  return items.map(byteSequence);
}

/**
 * Envoy's `X-Forwarded-Client-Cert`: one element (a comma outside quotes begins another, which another proxy wrote), and in it one `Cert`,
 * PEM in URL encoding. Its other keys are Envoy's reading of the certificate; we read it ourselves.
 */
function envoyCertificate(field: string): Uint8Array {
  if (!/^(?:[^",;=]+=(?:"(?:[^"\\]|\\.)*"|[^",;]*))(?:;[^",;=]+=(?:"(?:[^"\\]|\\.)*"|[^",;]*))*$/.test(field)) {
    throw invalid('X-Forwarded-Client-Cert is not exactly one element');
  }
  const found = [...field.matchAll(/(?:^|;)([^",;=]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;]*))/g)].filter(
    ([, key]) => key?.toLowerCase() === 'cert',
  );
  const [only, another] = found;
  if (!only || another) throw invalid('X-Forwarded-Client-Cert needs exactly one Cert');
  return pemDer(percentDecoded(only[2] ?? only[3] ?? ''));
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw invalid('Cert is not URL encoded', cause);
  }
}

function pemDer(pem: string): Uint8Array {
  const base64 = /^-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----\s*$/.exec(pem)?.[1];
  if (base64 === undefined || pem.length > MAX_LEAF_BYTES * 2) throw invalid('Cert is not one certificate in PEM');
  return strictBase64(base64.replace(/[\r\n]/g, ''));
}

function strictBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0 || bytes.toString('base64') !== text) throw invalid('a certificate is not base64');
  return bytes;
}

function invalid(detail: string, cause?: unknown): DomainError {
  return new DomainError('auth.forwarded_certificate_invalid', { detail, ...(cause === undefined ? {} : { cause }) });
}
