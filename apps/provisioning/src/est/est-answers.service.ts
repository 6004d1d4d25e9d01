import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CERTS_ONLY, encodeBase64, encodeCertificates } from './est-message.js';
import { multipartMixed } from './multipart.js';

const BOUNDARY_BYTES = 16;

/** Answers in bytes, so that each has its Content-Length and none is chunked; private keys and their like are in nobody's cache. */
@Injectable()
export class EstAnswers {
  certificates(request: FastifyRequest, reply: FastifyReply, certificates: readonly Uint8Array[]): void {
    send(reply, CERTS_ONLY, encodeCertificates(certificates, userAgent(request)));
  }

  /** 204 where there is nothing to say (RFC 7030 §4.5.2). */
  csrAttributes(request: FastifyRequest, reply: FastifyReply, der: Uint8Array | undefined): void {
    if (der) send(reply, 'application/csrattrs', encodeBase64(der, userAgent(request)));
    else void reply.status(204).send();
  }

  keyAndCertificate(request: FastifyRequest, reply: FastifyReply, pkcs8: Uint8Array, certificate: Uint8Array): void {
    const agent = userAgent(request);
    const parts = [
      { contentType: 'application/pkcs8', base64: encodeBase64(pkcs8, agent) },
      { contentType: CERTS_ONLY, base64: encodeCertificates([certificate], agent) },
    ];
    const { contentType, body } = multipartMixed(parts, randomBytes(BOUNDARY_BYTES).toString('hex'));
    void reply
      .status(200)
      .header('content-type', contentType)
      .header('cache-control', 'no-store')
      .send(Buffer.from(body));
  }

  /** The same request again later (RFC 7030 §4.2.3). */
  pending(reply: FastifyReply, retryAfterSeconds: number): void {
    void reply
      .status(202)
      .header('retry-after', Math.ceil(retryAfterSeconds))
      .header('content-type', 'text/plain; charset=utf-8')
      .send(Buffer.from('est.pending: The enrolment awaits an approval; send the same request again later.\n'));
  }
}

function send(reply: FastifyReply, contentType: string, base64: string): void {
  void reply
    .status(200)
    .header('content-type', contentType)
    .header('content-transfer-encoding', 'base64')
    .send(Buffer.from(base64));
}

function userAgent(request: FastifyRequest): string | undefined {
  return request.headers['user-agent'];
}
