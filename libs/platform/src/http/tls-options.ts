/** What every TLS listener speaks, and for how long it waits (docs/protocols/tls.md). */
import { constants } from 'node:crypto';

/** ECDHE with AEAD only, for stacks that stop at TLS 1.2. */
const TLS12_CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
].join(':');

/** Node looks for requests that take too long twice a minute unless told otherwise: a timeout of ten seconds would be one of forty. */
export const TIMEOUTS = { connectionsCheckingInterval: 2_000 } as const;

/** One handshake a connection: who is at the other end is read once, and a TLS 1.2 client must not become somebody else after that. */
export const CONTEXT_OPTIONS = {
  minVersion: 'TLSv1.2',
  ciphers: TLS12_CIPHERS,
  honorCipherOrder: true,
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  // No finite fields, which OpenSSL offers under TLS 1.3, and no curve that nobody brings.
  ecdhCurve: 'X25519MLKEM768:X25519:P-256:P-384',
  // So long a session is resumed, if no revocation comes before (admission's `Resumptions`).
  sessionTimeout: 300,
} as const;
export const TLS_OPTIONS = {
  ...TIMEOUTS,
  ...CONTEXT_OPTIONS,
  handshakeTimeout: 10_000,
  maxHeaderSize: 16_384,
} as const;
/** Asked for, not insisted on: `peerOfSocket` validates the path, and admission refuses whom it did not lead to an anchor. */
export const VEHICLE_TLS_OPTIONS = { ...TLS_OPTIONS, requestCert: true, rejectUnauthorized: false } as const;
