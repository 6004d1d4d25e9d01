import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { Schedule } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import { CatalogueStore } from '../catalogue/catalogue.store.js';
import { cancel } from '../command/command.js';
import { Commands } from '../command/commands.repository.js';
import { type Accepted, NewCommands } from '../command/new-commands.repository.js';
import { type Judgement, SendService } from '../send/send.service.js';
import { type Batch, sendUntil, settle } from './batch.js';
import { Batches, type BatchResult } from './batches.repository.js';

const EVERY_MS = 1000;
/** So many vehicles of a batch a turn, so that one batch does not hold up the others. */
const CHUNK = 50;
const BATCHES = 20;

/** Gives each vehicle of a batch its command, or says why not, and takes commands back. Replicas share the rows; what a crash interrupts goes on. */
@Injectable()
export class BatchRunner implements OnApplicationBootstrap {
  private round: () => void = () => undefined;
  private again = false;

  constructor(
    private readonly database: Database,
    private readonly batches: Batches,
    private readonly catalogue: CatalogueStore,
    private readonly commands: Commands,
    private readonly newCommands: NewCommands,
    private readonly sending: SendService,
    private readonly schedule: Schedule,
  ) {}

  onApplicationBootstrap(): void {
    this.round = this.schedule.every(EVERY_MS, 'batches of commands wait', () => this.run());
  }

  /** There is something to do now. */
  kick(): void {
    this.again = true;
    this.round();
  }

  /** Turn by turn until nothing moves any more. */
  async run(): Promise<void> {
    let moved = true;
    while (moved || this.again) {
      this.again = false;
      moved = false;
      for (const batch of await this.batches.open(BATCHES, new Date())) moved = (await this.turn(batch)) || moved;
    }
  }

  /** True where something changed. */
  private async turn(batch: Batch): Promise<boolean> {
    const now = new Date();
    if (batch.state === 'running') {
      const pending = await this.batches.pending(batch.id, CHUNK);
      if (pending.length > 0) return this.send(batch, pending, now);
    }
    if (batch.state === 'cancelling' && (await this.takeBack(batch))) return true;
    return this.finish(batch, now);
  }

  private async send(batch: Batch, pending: readonly DeviceId[], now: Date): Promise<boolean> {
    const judged = await Promise.all(pending.map((deviceId) => this.judge(batch, deviceId, now)));
    const final = judged.filter(({ error }) => !error || !mayPass(error));
    if (final.length === 0) return false;
    const sent = await this.database.transaction(async (tx) => {
      // Cancelled meanwhile: nothing more goes out.
      if ((await this.batches.mustLock(tx, batch.id)).state !== 'running') return [];
      const settled = await this.batches.settleDevices(tx, batch.id, final.map(resultOf));
      const accepted = final.flatMap(({ deviceId, accepted }) => (accepted && settled.has(deviceId) ? [accepted] : []));
      await this.newCommands.addAll(tx, accepted);
      return accepted;
    });
    this.newCommands.announce(sent.map(({ command }) => command));
    return true;
  }

  private async judge(batch: Batch, deviceId: DeviceId, now: Date): Promise<Judgement> {
    const kind = this.catalogue.kinds.get(batch.name);
    if (!kind) return { deviceId, error: new DomainError('command.unknown_name') };
    if (now >= sendUntil(batch)) return { deviceId, error: new DomainError('command.expired') };
    const { parameters, notBefore, expirySeconds, timeoutSeconds, requestedBy, requestedAs, evidence } = batch;
    const words = { kind, parameters, notBefore, expirySeconds, timeoutSeconds };
    const sender = { subject: requestedBy, attributes: requestedAs, evidence: { ...evidence, batch: batch.id } };
    return this.sending.judge(words, deviceId, sender, batch.id, now);
  }

  /** Takes back some of what was not released; true where there may be more. */
  private async takeBack(batch: Batch): Promise<boolean> {
    const [last] = (await this.batches.history(batch.id)).filter(({ state }) => state === 'cancelling').slice(-1);
    const ids = await this.batches.cancellable(batch.id, CHUNK);
    for (const id of ids)
      await this.database.transaction(async (tx) => {
        const command = await this.commands.lock(tx, id);
        // Released meanwhile: it may have happened, and stays.
        if (!command || !['queued', 'offered', 'challenged'].includes(command.state)) return;
        const reason = `its batch was cancelled by ${last?.who ?? 'nobody known'}`;
        await this.commands.save(tx, cancel(command, reason, new Date(), last?.evidence ?? {}));
      });
    return ids.length > 0;
  }

  private finish(batch: Batch, now: Date): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      const locked = await this.batches.mustLock(tx, batch.id);
      const step = settle(locked, await this.left(locked), now);
      if (!step) return false;
      await this.batches.save(tx, step);
      await this.dropPending(tx, step.batch);
      return true;
    });
  }

  private async left({ id, state }: Batch): Promise<number> {
    if (state === 'running') return (await this.batches.pending(id, 1)).length;
    return state === 'cancelling' ? (await this.batches.cancellable(id, 1)).length : 0;
  }

  private async dropPending(tx: EntityManager, { id, state }: Batch): Promise<void> {
    if (state === 'expired') await this.batches.cancelPending(tx, id);
  }
}

/** Nobody could be asked: that passes, and the vehicle is asked for again. */
function mayPass({ status }: DomainError): boolean {
  return status >= 500;
}

function resultOf({ deviceId, accepted, error }: Judgement & { accepted?: Accepted }): BatchResult {
  if (accepted)
    return { device_id: deviceId, state: 'sent', code: null, detail: null, command_id: accepted.command.id };
  return {
    device_id: deviceId,
    state: 'refused',
    code: error?.code ?? null,
    detail: error?.detail ?? null,
    command_id: null,
  };
}
