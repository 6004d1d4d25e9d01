import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { CommandId, DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { type EntityManager } from 'typeorm';
import { CommandRow } from '../command/command.entity.js';
import { type Command, challenge, deny, elapse, isBeforeRelease, offer, release } from '../command/command.js';
import { Commands } from '../command/commands.repository.js';
import { DispatchPolicy } from '../policy/dispatch-policy.service.js';
import { commandPayload } from '../signing/command-payload.js';
import { CommandSigner } from '../signing/signer.client.js';
import { type Offer, offerOf } from './delivery.js';

/** Hands a device its commands: the oldest open one first, each until its outcome is in. */
@Injectable()
export class DeliveryService {
  constructor(
    private readonly database: Database,
    private readonly commands: Commands,
    private readonly signer: CommandSigner,
    private readonly policy: DispatchPolicy,
  ) {}

  /** The head of the device's queue, released (or offered, if critical) by this call; undefined when there is none. `mayCritical`: the token's scope. */
  next(deviceId: DeviceId, mayCritical: boolean): Promise<Offer | undefined> {
    return this.database.transaction(async (tx) => {
      for (;;) {
        const command = await this.head(tx, deviceId);
        if (!command || (command.critical && !mayCritical)) return undefined;
        if (command.critical) {
          const offered = offer(command, new Date());
          if (offered) await this.commands.save(tx, offered);
          return offerOf(command);
        }
        const handed = isBeforeRelease(command.state) ? await this.release(tx, command) : command;
        if (handed) return offerOf(handed);
      }
    });
  }

  /**
   * Releases a critical command against the vehicle's nonce, exactly once: the same nonce again gets the identical JWS, another is refused.
   * Throws `command.not_found`, `command.nonce_refused`, `command.expired`, `command.state_conflict` (for one that policies do not allow
   * now, too: which, its sender reads in its history).
   */
  async answerNonce(id: CommandId, deviceId: DeviceId, nonce: string): Promise<string> {
    const jws = await this.database.transaction(async (tx) => {
      const command = await this.commands.lock(tx, id, deviceId);
      if (!command) throw new DomainError('command.not_found');
      const challenged = challenge(command, nonce, new Date());
      if (!challenged) return command.jws!;
      await this.commands.save(tx, challenged);
      return (await this.release(tx, challenged.command))?.jws;
    });
    // After the commit: that it is cancelled stays.
    if (!jws) throw new DomainError('command.state_conflict', { detail: 'the command is cancelled' });
    return jws;
  }

  /** Steps over what time has ended. */
  private async head(tx: EntityManager, deviceId: DeviceId): Promise<CommandRow | undefined> {
    for (;;) {
      const command = await this.commands.lockHead(tx, deviceId);
      if (!command) return undefined;
      const over = elapse(command, new Date());
      if (!over) return command;
      await this.commands.save(tx, over);
    }
  }

  /** Undefined where policies do not allow it any more: it is cancelled. @throws DomainError where they cannot be asked: it waits */
  private async release(tx: EntityManager, command: Command): Promise<Command | undefined> {
    const now = new Date();
    const decision = await this.policy.decide(command, now);
    if (decision.decision === 'deny') {
      await this.commands.save(tx, deny(command, decision, now));
      return undefined;
    }
    const counter = await this.commands.nextCounter(tx, command.deviceId);
    const released = release(command, this.signer.sign(commandPayload(command, counter, now), now), decision, now);
    await this.commands.save(tx, released);
    return released.command;
  }
}
