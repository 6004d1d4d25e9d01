import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { CommandId, DeviceId } from '@outrider/ids';
import { Decisions } from '@outrider/platform/admission';
import { DeviceContexts, dispatchRequest, Policies } from '@outrider/platform/policy';
import { currentTrace } from '@outrider/platform/service';
import { policyWordOf } from '../catalogue/catalogue.js';
import { CatalogueStore } from '../catalogue/catalogue.store.js';
import type { Command, PolicyBasis, RequestedAs } from '../command/command.js';

/** Of a command that was sent before its sender's roles were kept. */
const NOBODY: RequestedAs = { roles: [], secondFactor: false, elevated: false };

/** As long as what is known of a vehicle is kept. */
const REMEMBER_MS = 1000;
const MOST_REMEMBERED = 10_000;

interface Allowed {
  readonly basis: PolicyBasis;
  readonly context: object;
  readonly atMs: number;
}

/** Asks the policies in force whether a command may go out, by what gateway knows of the vehicle. Closed while either is away. */
@Injectable()
export class DispatchPolicy {
  /** What was allowed a moment ago, for its release: a vehicle that waits has its command within milliseconds. */
  private readonly allowed = new Map<CommandId, Allowed>();

  constructor(
    private readonly contexts: DeviceContexts,
    private readonly policies: Policies,
    private readonly decisions: Decisions,
    private readonly catalogue: CatalogueStore,
  ) {}

  /** Asks for what is known of the vehicle ahead of a transaction, which then need not hold a connection for it. A failure is told there. */
  async prepare(deviceId: DeviceId): Promise<void> {
    await this.contexts.get(deviceId).catch(() => undefined);
  }

  /** When it is sent, by the request `action`, as the decision log names it. @throws DomainError `policy.denied` naming the policies, `policy.unavailable`, `service.upstream_unavailable` */
  async require(command: Command, now: Date, action: string): Promise<PolicyBasis> {
    const decision = await this.ask(command, now);
    if (decision.decision === 'allow') {
      await this.remember(command, decision, now);
      return decision;
    }
    this.report(command, 'operator', action, decision);
    throw new DomainError('policy.denied', { detail: because(decision) });
  }

  /** When it is about to be released. @throws DomainError `policy.unavailable`, `service.upstream_unavailable` */
  async decide(command: Command, now: Date): Promise<PolicyBasis & { readonly decision: 'allow' | 'deny' }> {
    const decision = (await this.remembered(command, now)) ?? (await this.ask(command, now));
    if (decision.decision === 'deny') this.report(command, 'vehicle', `release of ${command.name}`, decision);
    return decision;
  }

  private async remember({ id, deviceId }: Command, basis: PolicyBasis, now: Date): Promise<void> {
    if (this.allowed.size >= MOST_REMEMBERED) this.allowed.clear();
    this.allowed.set(id, { basis, context: await this.contexts.get(deviceId), atMs: now.getTime() });
  }

  /** By the same policies and the very same word of the vehicle, within a second: the answer would be the same. */
  private async remembered({ id, deviceId }: Command, now: Date) {
    const known = this.allowed.get(id);
    if (!known) return undefined;
    this.allowed.delete(id);
    const fresh = now.getTime() - known.atMs < REMEMBER_MS && known.basis.version === this.policies.version;
    if (!fresh || (await this.contexts.get(deviceId)) !== known.context) return undefined;
    return { ...known.basis, decision: 'allow' } as const;
  }

  private async ask({ requestedBy, requestedAs, name, critical, deviceId }: Command, now: Date) {
    const context = await this.contexts.get(deviceId);
    const { remoteControl, recovery } = policyWordOf(this.catalogue.kinds, name);
    // Only where it says something: a schema that an operator put in force earlier may not know the word.
    const word = { name, critical, remoteControl, ...(recovery ? ({ recovery } as const) : {}) };
    return this.policies.decide(dispatchRequest(requestedBy, requestedAs ?? NOBODY, word, deviceId, context, now));
  }

  private report(command: Command, listener: 'operator' | 'vehicle', action: string, basis: PolicyBasis): void {
    this.decisions.record({
      decision: 'deny',
      code: 'policy.denied',
      listener,
      action,
      deviceId: command.deviceId,
      subject: command.requestedBy,
      detail: because(basis),
      policies: basis.policies,
      traceId: currentTrace()?.traceId,
    });
  }
}

function because({ policies }: PolicyBasis): string {
  return policies.length > 0 ? policies.join(', ') : 'no policy permits it';
}
