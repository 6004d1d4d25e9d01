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

function describe(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: '', message: String(error) };
  if (error instanceof AggregateError && error.errors.length > 0) return describe(error.errors[0]);
  const { code } = error as NodeJS.ErrnoException;
  return { code: typeof code === 'string' ? code : '', message: error.message };
}
