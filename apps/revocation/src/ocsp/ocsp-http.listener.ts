import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Listeners } from '@outrider/platform/http';
import { MAX_OCSP_REQUEST_BYTES } from '@outrider/x509';
import { cacheHeaders, requestOfPath } from './ocsp.js';
import { type LastingAnswer, type OcspAnswer, OcspService } from './ocsp.service.js';

const PATH = '/ocsp';
const CONTENT_TYPE = 'application/ocsp-response';

/** OCSP over plain HTTP (RFC 6960 A.1, RFC 5019 §5 and §6): POST, GET and HEAD. For anyone: the answers carry their own signatures. */
@Injectable()
export class OcspHttp implements OnApplicationBootstrap {
  /** The headers of an answer, until its caches would have to be told otherwise. */
  private readonly headers = new WeakMap<LastingAnswer, Record<string, string | number>>();

  constructor(
    private readonly listeners: Listeners,
    private readonly ocsp: OcspService,
  ) {}

  onApplicationBootstrap(): void {
    this.listeners.answerDirectly(PATH, (request, response) => this.handle(request, response));
  }

  private handle(request: IncomingMessage, response: ServerResponse): void {
    if (request.method === 'POST') this.post(request, response);
    else if (request.method === 'GET' || request.method === 'HEAD') this.get(request, response);
    else response.writeHead(405, { allow: 'GET, HEAD, POST' }).end();
  }

  private post(request: IncomingMessage, response: ServerResponse): void {
    if (Number(request.headers['content-length']) > MAX_OCSP_REQUEST_BYTES) {
      tooLarge(response);
      return;
    }
    const parts: Buffer[] = [];
    let length = 0;
    request.on('data', (part: Buffer) => {
      length += part.length;
      if (length <= MAX_OCSP_REQUEST_BYTES) parts.push(part);
      else if (!response.headersSent) tooLarge(response);
    });
    request.on('end', () => {
      if (response.headersSent) return;
      this.respond(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts), request, response);
    });
    request.on('error', () => response.destroy());
  }

  private get(request: IncomingMessage, response: ServerResponse): void {
    // Without the request's body, whatever it may be, the connection is not good for another.
    request.resume();
    const path = (request.url ?? '').slice(PATH.length + 1).split('?', 1)[0] ?? '';
    const der = requestOfPath(path);
    if (der) this.respond(der, request, response);
    else this.send(this.ocsp.failure('malformedRequest'), request, response);
  }

  private respond(der: Buffer, request: IncomingMessage, response: ServerResponse): void {
    const known = this.ocsp.fromMemory(der, Date.now());
    if (known) this.send(known, request, response);
    else void this.ocsp.answer(der).then((answer) => this.send(answer, request, response));
  }

  private send(answer: OcspAnswer, request: IncomingMessage, response: ServerResponse): void {
    if (response.destroyed) return;
    const body = request.method === 'HEAD' ? undefined : answer.der;
    if (!('times' in answer)) {
      const headers = {
        'content-type': CONTENT_TYPE,
        'content-length': answer.der.length,
        'cache-control': 'no-store',
      };
      response.writeHead(200, headers).end(body);
      return;
    }
    const headers = this.headersOf(answer);
    const tags = request.headers['if-none-match'];
    if (tags?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === answer.etag)) {
      const { 'content-length': _, 'content-type': __, ...rest } = headers;
      response.writeHead(304, rest).end();
      return;
    }
    response.writeHead(200, headers).end(body);
  }

  private headersOf(answer: LastingAnswer): Record<string, string | number> {
    const nowMs = Date.now();
    const kept = nowMs < answer.refreshAtMs ? this.headers.get(answer) : undefined;
    if (kept) return kept;
    const headers = {
      'content-type': CONTENT_TYPE,
      'content-length': answer.der.length,
      ...cacheHeaders(answer.times, answer.etag, new Date(nowMs)),
    };
    this.headers.set(answer, headers);
    return headers;
  }
}

function tooLarge(response: ServerResponse): void {
  response.writeHead(413, { connection: 'close' }).end();
}
