import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { CommandId, DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { Sharers } from '@outrider/platform/service';
import {
  type Command,
  challenge,
  deny,
  type Evidence,
  type PolicyBasis,
  release,
  type Transition,
} from '../command/command.js';
import { Transitions } from '../command/transitions.repository.js';
import { DispatchPolicy } from '../policy/dispatch-policy.service.js';
import { type Counter, commandPayload } from '../signing/command-payload.js';
import { type CommandForm, memberOf, type SignedMember } from '../signing/signed-form.js';
import { CommandSigner } from '../signing/signer.client.js';
import { needsNonce, nextStep, type Offer, type Step, withContent } from './delivery.js';
import { Gathering, type Settled } from './gathering.js';
import { Heads } from './heads.repository.js';

/** Devices of one round, and rounds at once: while one waits for the disk the next one is decided. */
const ROUND = { most: 64, rounds: 2 };

export interface Ask {
  readonly deviceId: DeviceId;
  readonly mayCritical: boolean;
  /** The device is on the denylist in recovery mode: it gets recovery commands alone. */
  readonly recovery?: boolean;
  /** Of what is released by this call; what was released before keeps its bytes. */
  readonly form?: CommandForm;
  /** The vehicle's certificate and token, beside each step in the history. */
  readonly evidence?: Evidence;
}

type Decision = PolicyBasis & { readonly decision: 'allow' | 'deny' };

/** A head that has to change before it is shown. `decision`: of one that is about to be released. */
interface Change {
  readonly ask: Ask;
  readonly command: Command;
  readonly step: Exclude<Step, { kind: 'show' | 'nothing' }>;
  readonly decision?: Decision;
}

/** Hands devices their commands: the oldest open one first, each until its outcome is in. Devices that ask at the same time share a commit. */
@Injectable()
export class DeliveryService {
  private readonly sharers = new Sharers<Ask>('command.deliver');
  private readonly asked = new Gathering<Ask, Offer | undefined>(
    (asks) => this.sharers.run(asks, () => this.round(asks)),
    ROUND,
  );

  constructor(
    private readonly database: Database,
    private readonly heads: Heads,
    private readonly transitions: Transitions,
    private readonly signer: CommandSigner,
    private readonly policy: DispatchPolicy,
  ) {}

  /** The head of the device's queue, released (or offered, if critical) by this call; undefined when there is none. `mayCritical`: the token's scope; `recovery`: recovery commands alone. */
  next(deviceId: DeviceId, mayCritical: boolean, recovery = false): Promise<Offer | undefined> {
    return this.ask({ deviceId, mayCritical, recovery });
  }

  /** The same, for a vehicle as it was admitted. */
  ask(ask: Ask): Promise<Offer | undefined> {
    return this.asked.add(this.sharers.note(ask));
  }

  /**
   * Releases a command against the vehicle's nonce, exactly once: the same nonce again gets the identical JWS, another is refused.
   * Throws `command.not_found`, `command.nonce_refused`, `command.expired`, `auth.scope_insufficient`, `command.state_conflict` (for one that
   * policies do not allow now, too: which, its sender reads in its history).
   */
  async answerNonce(
    id: CommandId,
    { deviceId, mayCritical, recovery, form, evidence }: Ask,
    nonce: string,
  ): Promise<SignedMember> {
    for (;;) {
      const head = await this.heads.find(id, deviceId);
      if (!head) throw new DomainError('command.not_found');
      if (recovery && !this.heads.isRecovery(head.command.name))
        throw new DomainError('denylist.device', { detail: 'only recovery commands are open' });
      if (head.command.critical && !mayCritical)
        throw new DomainError('auth.scope_insufficient', { detail: 'a critical command needs command:critical' });
      const challenged = challenge({ ...head.command, critical: needsNonce(head) }, nonce, new Date());
      if (!challenged) return memberOf(head.command.jws!);
      const decision = await this.policy.decide(head.command, new Date());
      const released = await this.database.transaction(async (tx) => {
        const claimed = await this.heads.claim(tx, [{ command: head.command, counts: decision.decision === 'allow' }]);
        if (!claimed.has(id)) return undefined;
        const last = this.decided(challenged.command, decision, claimed.get(id), form);
        await this.transitions.save(
          tx,
          [challenged, last].map((step) => standingOn(step, evidence)),
        );
        return last.command;
      });
      // Undefined: another request was faster, and what it did decides. After the commit: that it is cancelled stays.
      if (released?.jws) return memberOf(released.jws);
      if (released) throw new DomainError('command.state_conflict', { detail: 'the command is cancelled' });
    }
  }

  /** Looks once for all devices; what has to change first changes in one transaction, and what changed under it is looked at again. */
  private async round(asks: readonly Ask[]): Promise<Settled<Offer | undefined>[]> {
    const settled = new Map<Ask, Settled<Offer | undefined>>();
    for (let open = asks; open.length > 0; open = asks.filter((ask) => !settled.has(ask))) {
      const now = new Date();
      const heads = await this.heads.of(devicesOf(open), now);
      const changes: Change[] = [];
      for (const ask of open) {
        const head = heads.get(ask.deviceId);
        const step = nextStep(head, ask.mayCritical, now);
        if (step.kind === 'nothing') settled.set(ask, { ok: undefined });
        else if (step.kind === 'show') settled.set(ask, { ok: step.offer });
        // Of two connections of one device the second looks again once the first one's change is made.
        else if (!changes.some(({ command }) => command.id === head!.command.id))
          changes.push({ ask, command: head!.command, step });
      }
      const ready = await this.askPolicies(changes, settled);
      if (ready.length > 0) await this.change(ready, settled);
    }
    return asks.map((ask) => settled.get(ask)!);
  }

  /** Policies before the transaction: it then waits for nobody. Where they cannot be asked the command waits, and only that one. */
  private async askPolicies(
    changes: readonly Change[],
    settled: Map<Ask, Settled<Offer | undefined>>,
  ): Promise<Change[]> {
    const ready = await Promise.all(
      changes.map(async (change) => {
        if (change.step.kind !== 'release') return change;
        try {
          return { ...change, decision: await this.policy.decide(change.command, new Date()) };
        } catch (error) {
          settled.set(change.ask, { error });
          return undefined;
        }
      }),
    );
    return ready.filter((change) => change !== undefined);
  }

  private async change(changes: readonly Change[], settled: Map<Ask, Settled<Offer | undefined>>): Promise<void> {
    const offers = await this.database.transaction(async (tx) => {
      const counts = ({ decision }: Change) => decision?.decision === 'allow';
      const claims = changes.map((change) => ({ command: change.command, counts: counts(change) }));
      const claimed = await this.heads.claim(tx, claims);
      const saved: Transition[] = [];
      const made = new Map<Ask, Offer>();
      for (const { ask, command, step, decision } of changes) {
        if (!claimed.has(command.id)) continue;
        const transition =
          step.kind === 'offer' ? step.transition : this.decided(command, decision!, claimed.get(command.id), ask.form);
        saved.push(standingOn(transition, ask.evidence));
        if (step.kind === 'offer') made.set(ask, step.offer);
        else if (transition.command.jws !== null) made.set(ask, withContent(transition.command));
      }
      await this.transitions.save(tx, saved);
      return made;
    });
    for (const [ask, offer] of offers) settled.set(ask, { ok: offer });
  }

  /** Signed and released, or cancelled where policies do not allow it any more. */
  private decided(command: Command, decision: Decision, counter: Counter | undefined, form?: CommandForm): Transition {
    const now = new Date();
    if (decision.decision === 'deny' || !counter) return deny(command, decision, now);
    return release(command, this.signer.sign(commandPayload(command, counter, now), now, form), decision, now);
  }
}

/** Each once; one that any of its connections knows to be in recovery is. */
function devicesOf(asks: readonly Ask[]): Map<DeviceId, boolean> {
  const devices = new Map<DeviceId, boolean>();
  for (const { deviceId, recovery = false } of asks) devices.set(deviceId, recovery || devices.get(deviceId) === true);
  return devices;
}

function standingOn(transition: Transition, evidence: Evidence | undefined): Transition {
  return evidence ? { ...transition, evidence } : transition;
}
