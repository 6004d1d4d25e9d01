/** The answer to bytes that never became a request: coded like every other refusal. */
import { DomainError, type ErrorCode } from '@outrider/errors';

interface Unparsed {
  readonly code: ErrorCode;
  readonly statusLine: string;
  readonly detail?: string;
}

const MALFORMED: Unparsed = { code: 'request.malformed', statusLine: '400 Bad Request' };
const BY_NODE_CODE: ReadonlyMap<string, Unparsed> = new Map([
  ['ERR_HTTP_REQUEST_TIMEOUT', { code: 'request.timeout', statusLine: '408 Request Timeout' }],
  [
    'HPE_HEADER_OVERFLOW',
    { code: 'request.too_large', statusLine: '431 Request Header Fields Too Large', detail: 'the header' },
  ],
  [
    'HPE_CHUNK_EXTENSIONS_OVERFLOW',
    { code: 'request.too_large', statusLine: '413 Content Too Large', detail: 'chunk extensions' },
  ],
]);

/**
 * @param nodeCode of the error that `clientError` brings, if it has one.
 * @returns a whole HTTP/1.1 response (RFC 9112) with a problem document (RFC 9457); the connection ends with it.
 */
export function answerToUnparsed(nodeCode: string | undefined): string {
  const { code, statusLine, detail } = BY_NODE_CODE.get(nodeCode ?? '') ?? MALFORMED;
  const body = JSON.stringify({
    type: `https://outrider.dev/problems/${code}`,
    title: new DomainError(code).title,
    status: Number(statusLine.slice(0, 3)),
    code,
    detail,
  });
  return [
    `HTTP/1.1 ${statusLine}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
