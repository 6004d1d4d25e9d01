import { bodyBytes, mediaType } from '@outrider/platform/http';
import type { FastifyRequest } from 'fastify';
import { parseTokenForm, type TokenForm } from './token-form.js';

/** The form of a request. @throws DomainError of `parseTokenForm` */
export function tokenForm(request: FastifyRequest): TokenForm {
  const hasAuthorization = request.headers.authorization !== undefined;
  return parseTokenForm(bodyBytes(request), { mediaType: mediaType(request), hasAuthorization });
}
