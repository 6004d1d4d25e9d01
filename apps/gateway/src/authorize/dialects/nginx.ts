/** Reads a question of NGINX's `auth_request` (and of anything that can set headers): four fields say what was asked. */
import { credentials, type EdgeQuestion, field, type Headers, shownByHeaders } from '../edge-question.js';

export function readNginxQuestion(_url: string, _method: string, headers: Headers): EdgeQuestion | undefined {
  const method = field(headers, 'x-original-method');
  const target = field(headers, 'x-original-uri');
  const host = field(headers, 'x-original-host');
  const remoteAddress = field(headers, 'x-original-remote-addr');
  if (!method || !target || !host || !remoteAddress) return undefined;
  return {
    request: { method, host, target, ...credentials(headers) },
    shown: shownByHeaders(headers),
    remoteAddress,
    traceparent: field(headers, 'traceparent'),
  };
}
