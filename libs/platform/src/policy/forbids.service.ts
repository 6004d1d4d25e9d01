import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { PolicyDecision, PolicyRequest } from '@outrider/policy';
import { LOGGER, type Logger } from '../service/runtime.provider.js';
import { Policies } from './policies.store.js';

/**
 * For what takes a vehicle out of service (block, unblock, revoke; DESIGN §4): it never fails closed. Only a policy in force that
 * forbids it refuses it; that none are in force, that none permits it, or that one fails, is logged and holds up nothing.
 */
@Injectable()
export class Forbids {
  constructor(
    private readonly policies: Policies,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** @throws DomainError `policy.denied` naming the policies that forbid it */
  requireNone(request: PolicyRequest): void {
    const decision = this.decide(request);
    if (!decision || decision.decision === 'allow') return;
    const { policies, errors, version } = decision;
    if (policies.length > 0 && errors.length === 0)
      throw new DomainError('policy.denied', { detail: policies.join(', '), members: { policies } });
    const { action, resource } = request;
    this.logger.warn(
      { action, deviceId: resource.id, errors, version },
      'no policy permits it; it is done all the same',
    );
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
