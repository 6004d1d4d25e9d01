/** What every dialect of external authorization comes down to: a question of an edge, and the answer to it. */
import type { ForwardedHeaders } from '@outrider/admission';
import type { OriginalRequest } from './authorize.js';

/** How the edge passes on the certificate that its client showed: by the headers of `forwardedCertificate`, or as Traefik does. */
export type ShownCertificate = ForwardedHeaders & {
  /** Base64 of DER between PEM's lines without line feeds, URL encoded or not; several with commas. */
  readonly barePem?: string | undefined;
};

export interface EdgeQuestion {
  readonly request: OriginalRequest;
  readonly shown: ShownCertificate;
  /** The client's address by the edge's word; undefined: the edge's own counts. */
  readonly remoteAddress: string | undefined;
  readonly traceparent: string | undefined;
}

/** Of an HTTP message: names in lower case, several fields of one name joined by commas, as Node does with `joinDuplicateHeaders`. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** A dialect over HTTP. `undefined`: the edge did not say what was asked. */
export type ReadQuestion = (url: string, method: string, headers: Headers) => EdgeQuestion | undefined;

/** Undefined for an absent field; several of one name never pass for one. */
export function field(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

export function shownByHeaders(headers: Headers): ShownCertificate {
  return {
    clientCert: field(headers, 'client-cert'),
    clientCertChain: field(headers, 'client-cert-chain'),
    xfcc: field(headers, 'x-forwarded-client-cert'),
  };
}

/** What the proxy that we speak to wrote: every one before it in `X-Forwarded-For` is its client's word. */
export function lastForwardedFor(headers: Headers): string | undefined {
  return field(headers, 'x-forwarded-for')?.split(',').at(-1)?.trim();
}

/** The same for every question; empty or absent fields are absent. */
export function credentials(headers: Headers): Pick<OriginalRequest, 'authorization' | 'dpop'> {
  return {
    authorization: field(headers, 'authorization') || undefined,
    dpop: field(headers, 'dpop') || undefined,
  };
}
