import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { admissionOf, Decisions, type VehicleAdmission } from '@outrider/platform/admission';
import { peerOf } from '@outrider/platform/http';
import { currentTrace } from '@outrider/platform/service';
import type { FastifyRequest } from 'fastify';

const AGAIN_SECONDS = 1;

/** A vehicle in recovery mode is let in for recovery commands: where none is for it, it is refused like everywhere else, and that is in the decision log. */
@Injectable()
export class RecoveryRefusals {
  constructor(private readonly decisions: Decisions) {}

  refusal(request: FastifyRequest): DomainError {
    const { deviceId, certificate } = admissionOf(request) as VehicleAdmission;
    const detail = 'only recovery commands are open, and this is none';
    this.decisions.record({
      decision: 'deny',
      code: 'denylist.device',
      listener: 'vehicle',
      action: `${request.method} ${request.routeOptions.url ?? ''}`,
      deviceId,
      thumbprint: certificate.thumbprint,
      remoteAddress: peerOf(request.raw).remoteAddress,
      detail,
      traceId: currentTrace()?.traceId,
    });
    return new DomainError('denylist.device', { detail, retryAfterSeconds: AGAIN_SECONDS });
  }
}
