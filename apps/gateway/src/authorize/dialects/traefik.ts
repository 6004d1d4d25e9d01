/** Reads a question of Traefik's ForwardAuth: `X-Forwarded-*` says what was asked, `PassTLSClientCert` what was shown. */
import { credentials, type EdgeQuestion, field, type Headers, lastForwardedFor } from '../edge-question.js';

/** Traefik forwards its client's other fields as they are, so what a client may write itself (`Client-Cert`, XFCC) is not looked at. */
export function readTraefikQuestion(_url: string, _method: string, headers: Headers): EdgeQuestion | undefined {
  const method = field(headers, 'x-forwarded-method');
  const target = field(headers, 'x-forwarded-uri');
  const host = field(headers, 'x-forwarded-host');
  const remoteAddress = lastForwardedFor(headers);
  if (!method || !target || !host || !remoteAddress) return undefined;
  return {
    request: { method, host, target, ...credentials(headers) },
    shown: {
      clientCert: undefined,
      clientCertChain: undefined,
      xfcc: undefined,
      barePem: field(headers, 'x-forwarded-tls-client-cert') || undefined,
    },
    remoteAddress,
    traceparent: field(headers, 'traceparent'),
  };
}
