import { Inject, Injectable } from '@nestjs/common';
import type { DecisionFacts } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import type { PolicyDecision, PolicyRequest } from '@outrider/policy';
import { Decisions } from '../admission/decisions.service.js';
import { LOGGER, type Logger } from '../service/runtime.provider.js';
import { currentTrace } from '../service/trace.provider.js';
import { Policies } from './policies.store.js';

type Asked = Pick<DecisionFacts, 'action' | 'tokenId' | 'remoteAddress'>;

/**
 * For what takes a vehicle out of service (block, unblock, revoke): it never fails closed. Only a policy in force that
 * forbids it refuses it; that none are in force, that none permits it, or that one fails, is logged and holds up nothing.
 */
@Injectable()
export class Forbids {
  constructor(
    private readonly policies: Policies,
    private readonly decisions: Decisions,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * A refusal is in the decision log. `asked`: as what, and by which token, where that is known.
   * @throws DomainError `policy.denied` naming the policies that forbid it
   */
  requireNone(request: PolicyRequest, asked: Asked = { action: request.action }): void {
    const decision = this.decide(request);
    if (!decision || decision.decision === 'allow') return;
    const { policies, errors, version } = decision;
    if (policies.length > 0 && errors.length === 0) {
      this.record(request, asked, policies);
      throw new DomainError('policy.denied', { detail: policies.join(', '), members: { policies } });
    }
    const { action, resource } = request;
    this.logger.warn(
      { action, deviceId: resource.id, errors, version },
      'no policy permits it; it is done all the same',
    );
  }

  private record({ principal, resource }: PolicyRequest, asked: Asked, policies: readonly string[]): void {
    this.decisions.record({
      ...asked,
      decision: 'deny',
      code: 'policy.denied',
      listener: 'operator',
      subject: principal.id,
      ...(resource.type === 'Vehicle' ? { deviceId: resource.id } : {}),
      detail: policies.join(', '),
      policies,
      traceId: currentTrace()?.traceId,
    });
  }

  private decide(request: PolicyRequest): PolicyDecision | undefined {
    try {
      return this.policies.decide(request);
    } catch (error) {
      const { action, resource } = request;
      this.logger.warn(
        { err: error, action, deviceId: resource.id },
        'the policies could not be asked; it is done all the same',
      );
      return undefined;
    }
  }
}
