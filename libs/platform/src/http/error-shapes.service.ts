import { Injectable } from '@nestjs/common';
import type { DomainError } from '@outrider/errors';
import type { FastifyReply } from 'fastify';

/** Writes the whole answer: status, headers, body. */
export type SendError = (reply: FastifyReply, error: DomainError) => void;

/** Protocols with an error shape of their own (EST's text/plain), by where their paths begin: what never reached a route has it too. */
@Injectable()
export class ErrorShapes {
  private readonly shapes = new Map<string, SendError>();

  /** @param prefix e.g. `/.well-known/est`: that path, and all below it. */
  use(prefix: string, send: SendError): void {
    this.shapes.set(prefix, send);
  }

  /** Undefined where errors are problem documents. */
  of(url: string): SendError | undefined {
    const path = url.split('?', 1)[0]!;
    for (const [prefix, send] of this.shapes) {
      if (path === prefix || path.startsWith(`${prefix}/`)) return send;
    }
    return undefined;
  }
}
