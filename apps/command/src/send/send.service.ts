import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { CommandId, type DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { CONFIG } from '@outrider/platform/service';
import { CatalogueStore } from '../catalogue/catalogue.store.js';
import { type Command, cancel, type Evidence } from '../command/command.js';
import { Commands } from '../command/commands.repository.js';
import { type Accepted, type KeyClaim, NewCommands } from '../command/new-commands.repository.js';
import type { Config } from '../config.js';
import { Devices } from '../device/devices.service.js';
import { requireReachable } from '../device/reachable.js';
import { DispatchPolicy } from '../policy/dispatch-policy.service.js';
import { commandView } from './command-view.js';
import { OnceService, type RequestKey } from './once.service.js';
import { type CheckedWords, checkWords, queueCommand, type Requester, type SendRequest } from './send-command.js';

/** Whether one of many vehicles may have a command. */
export interface Judgement {
  readonly deviceId: DeviceId;
  readonly accepted?: Accepted;
  readonly error?: DomainError;
}

/** What asks, as the decision log names it. */
const SEND = 'POST /v1/vehicles/:device/commands';
const SEND_MANY = 'POST /v1/command-batches';

export type CommandDocument = ReturnType<typeof commandView>;

@Injectable()
export class SendService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly database: Database,
    private readonly catalogue: CatalogueStore,
    private readonly commands: Commands,
    private readonly newCommands: NewCommands,
    private readonly once: OnceService,
    private readonly devices: Devices,
    private readonly policy: DispatchPolicy,
  ) {}

  /**
   * Queues a command once per (operator, key): the same body again gets the same answer, another body
   * `command.idempotency_mismatch`. Parallel requests wait for the first one's commit on the key's row. What is refused leaves the key free.
   * @throws DomainError `policy.denied`, `policy.unavailable`, `command.queue_full`, and what `checkWords` and `requireReachable` throw
   */
  async send(
    deviceId: DeviceId,
    request: SendRequest,
    requester: Requester,
    key: RequestKey,
  ): Promise<CommandDocument> {
    const now = new Date();
    return this.once.answer(requester.subject, key, now, async () => {
      const words = checkWords(request, this.catalogue.kinds, requester, this.config, now);
      const accepted = await this.accept(words, deviceId, requester, null, now);
      const store = (claim: KeyClaim) => this.newCommands.addOnce(accepted, claim);
      return { answer: commandView(accepted.command), store };
    });
  }

  /** The same as a verdict. */
  async judge(...asked: Parameters<SendService['accept']>): Promise<Judgement> {
    const [, deviceId] = asked;
    try {
      return { deviceId, accepted: await this.accept(...asked) };
    } catch (error) {
      if (error instanceof DomainError) return { deviceId, error };
      throw error;
    }
  }

  /** One command of these words for this vehicle, if it may have it now; nothing is stored. `action`: what asks. @throws as `send` */
  async accept(
    words: CheckedWords,
    deviceId: DeviceId,
    { subject, attributes, evidence }: Pick<Requester, 'subject' | 'attributes' | 'evidence'>,
    batchId: string | null,
    now: Date,
    action = batchId === null ? SEND : SEND_MANY,
  ): Promise<Accepted> {
    const id = CommandId.parse(randomUUID());
    const context = { id, deviceId, requestedBy: subject, requestedAs: attributes, batchId, now };
    const command = queueCommand(words, context);
    const { maxOpenPerDevice } = this.config;
    const [device] = await Promise.all([this.devices.find(deviceId, maxOpenPerDevice), this.policy.prepare(deviceId)]);
    requireReachable(device, words.kind);
    if (device.open >= maxOpenPerDevice)
      throw new DomainError('command.queue_full', { detail: `${device.open} are open` });
    return { command, basis: await this.policy.require(command, now, action), evidence };
  }

  /** Before the release only: `command.state_conflict` afterwards, since it may have happened. @throws DomainError `command.not_found` */
  cancel(id: CommandId, by: string, evidence: Evidence): Promise<Command> {
    return this.database.transaction(async (tx) => {
      const command = await this.commands.lock(tx, id);
      if (!command) throw new DomainError('command.not_found');
      const cancelled = cancel(command, `cancelled by ${by}`, new Date(), evidence);
      await this.commands.save(tx, cancelled);
      return cancelled.command;
    });
  }
}
