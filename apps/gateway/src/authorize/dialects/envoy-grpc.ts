/** Reads a question of Envoy's `ext_authz` over gRPC, and decides how the answer is said there. */
import { CODES } from '@outrider/errors';
import { clientHeaders, type Refusal, refused } from '../answer.js';
import { credentials, type EdgeQuestion, field, type Headers } from '../edge-question.js';
import { IDENTITY_HEADERS, type Identity } from '../identity.js';

/** `CheckRequest` of apps/gateway/proto; whatever an edge leaves out is absent or empty. */
export interface CheckRequest {
  readonly attributes?: {
    readonly source?: {
      readonly address?: { readonly socketAddress?: { readonly address?: string } | null } | null;
      readonly certificate?: string;
    } | null;
    readonly request?: {
      readonly http?: {
        readonly method?: string;
        readonly path?: string;
        readonly host?: string;
        readonly headers?: Readonly<Record<string, string>>;
        readonly headerMap?: {
          readonly headers?: readonly {
            readonly key?: string;
            readonly value?: string;
            readonly rawValue?: Uint8Array;
          }[];
        } | null;
      } | null;
    } | null;
  } | null;
}

interface HeaderValueOption {
  readonly header: { readonly key: string; readonly value: string };
  /** Envoy's own default depends on its version and on where the field stands: said each time. */
  readonly appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD';
}

/** `code`: of google.rpc.Code; 0 lets the request by. */
export interface CheckResponse {
  readonly status: { readonly code: number; readonly message: string };
  readonly okResponse?: {
    readonly headers: readonly HeaderValueOption[];
    readonly headersToRemove: readonly string[];
    readonly responseHeadersToAdd: readonly HeaderValueOption[];
  };
  readonly deniedResponse?: {
    readonly status: { readonly code: number };
    readonly headers: readonly HeaderValueOption[];
    readonly body: string;
  };
}

const OK = 0;
const PERMISSION_DENIED = 7;
const UNAUTHENTICATED = 16;

/**
 * The certificate is what Envoy itself says of the connection (`include_peer_certificate`): a header of that meaning may be the client's
 * own, and is not looked at. Undefined: Envoy did not say what was asked.
 */
export function readCheckRequest({ attributes }: CheckRequest): EdgeQuestion | undefined {
  const { source, request } = attributes ?? {};
  const { method, path: target, host } = request?.http ?? {};
  if (!method || !target || !host) return undefined;
  const headers = headersOf(request?.http ?? {});
  const certificate = source?.certificate;
  return {
    request: { method, host, target, ...credentials(headers) },
    shown: {
      clientCert: undefined,
      clientCertChain: undefined,
      xfcc: certificate ? `Cert="${certificate}"` : undefined,
    },
    remoteAddress: source?.address?.socketAddress?.address || undefined,
    traceparent: field(headers, 'traceparent'),
  };
}

/** Of one map or the other, as `encode_raw_headers` says; fields of one name joined, so that none is dropped unseen. */
function headersOf({
  headers,
  headerMap,
}: NonNullable<NonNullable<NonNullable<CheckRequest['attributes']>['request']>['http']>): Headers {
  const raw = headerMap?.headers ?? [];
  if (raw.length === 0) return headers ?? {};
  const all: Record<string, string> = {};
  for (const { key = '', value, rawValue } of raw) {
    const name = key.toLowerCase();
    const text = rawValue && rawValue.length > 0 ? Buffer.from(rawValue).toString('latin1') : (value ?? '');
    all[name] = Object.hasOwn(all, name) ? `${all[name]}, ${text}` : text;
  }
  return all;
}

/** `nonce`: for the client's next DPoP proof. */
export function checkAllowed(identity: Identity, nonce: string | undefined): CheckResponse {
  return {
    status: { code: OK, message: '' },
    okResponse: {
      headers: options(identity),
      headersToRemove: IDENTITY_HEADERS.filter((name) => identity[name] === undefined),
      responseHeadersToAdd: nonce === undefined ? [] : options({ 'dpop-nonce': nonce }),
    },
  };
}

export function checkRefused(refusal: Refusal): CheckResponse {
  const { status, body } = refused(refusal);
  const headers = {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    ...clientHeaders(refusal),
  };
  return {
    status: { code: CODES[refusal.code].status === 401 ? UNAUTHENTICATED : PERMISSION_DENIED, message: refusal.code },
    deniedResponse: { status: { code: status }, headers: options(headers), body },
  };
}

function options(values: Readonly<Record<string, string>>): HeaderValueOption[] {
  return Object.entries(values).map(([key, value]) => ({
    header: { key, value },
    appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD',
  }));
}
