/** Reads a question of Envoy's `ext_authz` over HTTP: the client's own request line below our prefix, without its body. */
import {
  credentials,
  type EdgeQuestion,
  field,
  type Headers,
  lastForwardedFor,
  shownByHeaders,
} from '../edge-question.js';

/** @param url as Envoy asks it: `path_prefix`, then the client's target. */
export function readEnvoyQuestion(prefix: string) {
  return (url: string, method: string, headers: Headers): EdgeQuestion | undefined => {
    const host = field(headers, 'host');
    if (!host || !url.startsWith(`${prefix}/`)) return undefined;
    return {
      request: { method, host, target: url.slice(prefix.length), ...credentials(headers) },
      shown: shownByHeaders(headers),
      remoteAddress: lastForwardedFor(headers),
      traceparent: field(headers, 'traceparent'),
    };
  };
}
