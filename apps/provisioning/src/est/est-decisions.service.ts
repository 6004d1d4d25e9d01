import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Decisions } from '@outrider/platform/admission';
import type { Peer } from '@outrider/platform/http';
import { currentTrace } from '@outrider/platform/service';

/** Refusals of enrolment in the decision log, beside those of admission. */
@Injectable()
export class EstDecisions {
  constructor(private readonly decisions: Decisions) {}

  /** Records what was decided against the client; that something failed or was away is no decision. */
  refused(error: unknown, peer: Peer, operation: string, deviceId: DeviceId | undefined): void {
    if (!(error instanceof DomainError) || error.status >= 500) return;
    this.decisions.record({
      decision: 'deny',
      code: error.code,
      listener: peer.listener,
      action: `POST /.well-known/est/${operation}`,
      deviceId,
      thumbprint: peer.certificate?.thumbprint,
      remoteAddress: peer.remoteAddress,
      detail: error.detail?.slice(0, 500),
      traceId: currentTrace()?.traceId,
    });
  }
}
