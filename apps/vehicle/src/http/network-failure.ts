/** Says in the agent's words why a request had no answer. */

/** `untrusted`: the server's certificate does not chain to the pinned anchors or names another host; never to be ignored. */
export type NetworkFailureKind = 'unreachable' | 'timeout' | 'cut' | 'untrusted' | 'tls_refused';

const UNTRUSTED =
  /^(?:SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_\w+|CERT_\w+|INVALID_CA|INVALID_PURPOSE|ERR_TLS_CERT_ALTNAME_\w+)$/;

export class NetworkFailure extends Error {
  override readonly name = 'NetworkFailure';

  constructor(
    readonly kind: NetworkFailureKind,
    detail: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super(detail, options);
  }

  /** Of an error of undici, Node's net or OpenSSL. `timedOut`: our own deadline had passed. */
  static of(cause: unknown, timedOut: boolean): NetworkFailure {
    const { code, message } = describe(cause);
    return new NetworkFailure(kindOf(code, message, timedOut), `${code || 'error'}: ${message}`, { cause });
  }
}

function kindOf(code: string, message: string, timedOut: boolean): NetworkFailureKind {
  if (timedOut || code === 'UND_ERR_CONNECT_TIMEOUT' || /TIMEOUT|ETIMEDOUT/.test(code)) return 'timeout';
  if (UNTRUSTED.test(code)) return 'untrusted';
  // The server's alert, e.g. ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED or ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED.
  if (/^ERR_SSL_.*ALERT/.test(code) || /alert number/.test(message)) return 'tls_refused';
  if (/^(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENETDOWN|ENOTFOUND|EAI_AGAIN|EADDRNOTAVAIL)$/.test(code))
    return 'unreachable';
  return 'cut';
}

/** By shape: what Node and undici throw need not be an Error of this realm. */
function describe(error: unknown): { code: string; message: string } {
  if (typeof error !== 'object' || error === null) return { code: '', message: String(error) };
  const { code, message, errors } = error as { code?: unknown; message?: unknown; errors?: unknown };
  if (Array.isArray(errors) && errors.length > 0) return describe(errors[0]);
  return { code: typeof code === 'string' ? code : '', message: String(message) };
}
