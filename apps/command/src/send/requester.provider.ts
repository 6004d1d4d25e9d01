import { DomainError } from '@outrider/errors';
import type { OperatorAdmission } from '@outrider/platform/admission';
import { bodyBytes, peerOf } from '@outrider/platform/http';
import { operatorAttributes } from '@outrider/platform/policy';
import { currentTrace } from '@outrider/platform/service';
import type { FastifyRequest } from 'fastify';
import type { Evidence } from '../command/command.js';
import type { RequestKey } from './once.service.js';
import { operatorEvidence } from './operator-evidence.js';
import { IdempotencyKey, type Requester, requestFingerprint } from './send-command.js';

/** Who sends this request. */
export function requesterOf({ subject, scopes, claims }: OperatorAdmission, request: FastifyRequest): Requester {
  return {
    subject,
    scopes,
    attributes: operatorAttributes(claims),
    evidence: evidenceOf({ claims }, request),
    until: new Date(claims.exp * 1000),
  };
}

export function evidenceOf({ claims }: Pick<OperatorAdmission, 'claims'>, request: FastifyRequest): Evidence {
  const { remoteAddress } = peerOf(request.raw);
  return operatorEvidence(claims, { remoteAddress, traceId: currentTrace()?.traceId });
}

/** `target`: what is sent to, a device or a route. @throws DomainError `command.idempotency_key_required` */
export function requestKeyOf(request: FastifyRequest, target: string): RequestKey {
  const key = IdempotencyKey.safeParse(request.headers['idempotency-key']);
  if (!key.success) throw new DomainError('command.idempotency_key_required');
  return { key: key.data, fingerprint: requestFingerprint(target, bodyBytes(request)) };
}
