import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { operatorsGet } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Nats } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import { CONFIG } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import { CatalogueStore } from '../catalogue/catalogue.store.js';
import type { KeyClaim } from '../command/new-commands.repository.js';
import type { Config } from '../config.js';
import { Devices } from '../device/devices.service.js';
import { IdempotencyKeys } from '../send/idempotency-keys.repository.js';
import { OnceService, type RequestKey } from '../send/once.service.js';
import { SendService } from '../send/send.service.js';
import { checkWords, type Requester } from '../send/send-command.js';
import {
  approve,
  type Batch,
  type BatchDecision,
  type BatchRequest,
  type BatchStep,
  batchDocument,
  cancel,
  needsApproval,
  openBatch,
  type Person,
  peopleOf,
  reject,
  type Target,
} from './batch.js';
import { BatchRunner } from './batch-runner.service.js';
import { Batches } from './batches.repository.js';
import { previewOf } from './preview.js';

/** How many vehicles a preview asks the policies about. */
const PREVIEW_DEVICES = 500;
const PREVIEW_AT_ONCE = 20;
/** As the decision log names it: who looks whether policies let something pass has asked, too. */
const PREVIEW = 'POST /v1/command-batches/preview';

/** Another batch of the same people was stored meanwhile, and with this one it is more than they may send alone. */
class Overtaken extends Error {
  override readonly name = 'Overtaken';
}

/** Commands to many vehicles: what they would do, who agrees, and the way back. */
@Injectable()
export class BatchesService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly database: Database,
    private readonly nats: Nats,
    private readonly catalogue: CatalogueStore,
    private readonly devices: Devices,
    private readonly once: OnceService,
    private readonly keys: IdempotencyKeys,
    private readonly sending: SendService,
    private readonly batches: Batches,
    private readonly runner: BatchRunner,
  ) {}

  /**
   * What the request would come to now, and nothing happens: vehicles that could not have the command, by the reason.
   * @throws as `request`
   */
  async preview(request: BatchRequest, requester: Requester, now: Date) {
    const { target, ...asked } = request;
    const words = checkWords(asked, this.catalogue.kinds, requester, this.config, now);
    const matched = await this.resolve(target);
    const asking = matched.slice(0, PREVIEW_DEVICES);
    const results: { deviceId: DeviceId; error?: DomainError }[] = [];
    for (let from = 0; from < asking.length; from += PREVIEW_AT_ONCE) {
      const some = asking.slice(from, from + PREVIEW_AT_ONCE);
      results.push(
        ...(await Promise.all(some.map((id) => this.sending.judge(words, id, requester, null, now, PREVIEW)))),
      );
    }
    const people = peopleOf(await this.personOf(requester.subject));
    const sentAlone = await this.batches.sentAlone({ people, account: requester.subject }, this.windowStart(now));
    return previewOf(results, { matched: matched.length, sentAlone, ...this.config.batches });
  }

  /**
   * Once per (operator, key). Above `approvalAbove` vehicles, with those that the same people had alone within `approvalWindowSeconds`, it
   * waits for a second operator; otherwise it is on its way.
   * @throws DomainError `command.batch_empty`, `command.batch_too_large`, `command.idempotency_mismatch`, `service.upstream_unavailable`
   * while nobody knows who stands behind the account, and what `checkWords` throws
   */
  async request(request: BatchRequest, requester: Requester, key: RequestKey) {
    for (;;) {
      const now = new Date();
      try {
        const prepare = () => this.prepare(request, requester, now);
        const answer = await this.once.answer(requester.subject, key, now, prepare);
        this.runner.kick();
        return answer;
      } catch (error) {
        // Looked at again: it waits for approval then.
        if (!(error instanceof Overtaken)) throw error;
      }
    }
  }

  private async prepare({ target, ...asked }: BatchRequest, requester: Requester, now: Date) {
    const { subject, attributes, evidence, until } = requester;
    const words = checkWords(asked, this.catalogue.kinds, requester, this.config, now);
    const matched = await this.resolve(target);
    const person = await this.personOf(subject);
    const sender = { people: peopleOf(person), account: subject };
    const alone = await this.batches.sentAlone(sender, this.windowStart(now));
    const waits = needsApproval(matched.length, alone, this.config.batches.approvalAbove);
    const context = { id: randomUUID(), requestedBy: subject, requestedAs: attributes, evidence, until, now };
    const step = openBatch(words, target, matched.length, { person, waits }, context);
    return { answer: batchDocument(step.batch), store: (claim: KeyClaim) => this.store(claim, step, matched) };
  }

  /** @throws DomainError `command.batch_not_found`, `command.batch_closed`, `command.batch_same_person`, `service.upstream_unavailable` */
  async approve(id: string, by: BatchDecision): Promise<Batch> {
    const { requestedBy } = await this.batches.mustFind(id);
    const identities = await this.identitiesOf(requestedBy, by.by);
    const [sender, approver] = [identities.get(requestedBy), identities.get(by.by)];
    if (sender === undefined || approver === undefined)
      throw new DomainError('auth.role_insufficient', {
        detail: 'the account that asked, or the one that approves, is switched off',
      });
    const people = { sender: peopleOf(sender), approver: approver.identity };
    return this.step(id, (batch) => approve(batch, people, by));
  }

  /** @throws DomainError `command.batch_not_found`, `command.batch_closed` */
  reject(id: string, by: BatchDecision): Promise<Batch> {
    return this.step(id, (batch) => reject(batch, by));
  }

  /** What was released stays: it may have happened. @throws DomainError `command.batch_not_found`, `command.batch_closed` */
  cancel(id: string, by: BatchDecision): Promise<Batch> {
    return this.step(id, (batch) => cancel(batch, by));
  }

  private async step(id: string, decide: (batch: Batch) => BatchStep | undefined): Promise<Batch> {
    const after = await this.database.transaction(async (tx) => {
      const before = await this.batches.mustLock(tx, id);
      const step = decide(before);
      if (!step) return before;
      await this.batches.save(tx, step);
      if (step.batch.state !== 'running') await this.batches.cancelPending(tx, id);
      return step.batch;
    });
    this.runner.kick();
    return after;
  }

  private store(claim: KeyClaim, step: BatchStep, matched: readonly DeviceId[]): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      if (!(await this.keys.claim(tx, claim))) return false;
      await this.batches.lockAll(tx);
      await this.requireStillAlone(tx, step.batch);
      await this.batches.insert(tx, step, matched);
      return true;
    });
  }

  /** Several at once do not slip through beside each other. @throws Overtaken */
  private async requireStillAlone(tx: EntityManager, batch: Batch): Promise<void> {
    if (batch.state !== 'running') return;
    const sender = { people: batch.requestedPeople, account: batch.requestedBy };
    const alone = await this.batches.sentAlone(sender, this.windowStart(batch.createdAt), tx);
    if (needsApproval(batch.matched, alone, this.config.batches.approvalAbove)) throw new Overtaken();
  }

  private windowStart(now: Date): Date {
    return new Date(now.getTime() - this.config.batches.approvalWindowSeconds * 1000);
  }

  private async personOf(subject: string): Promise<Person> {
    const person = (await this.identitiesOf(subject)).get(subject);
    if (!person) throw new DomainError('auth.role_insufficient', { detail: 'the account is switched off' });
    return person;
  }

  private async resolve(target: Target): Promise<DeviceId[]> {
    const { maxDevices } = this.config.batches;
    const found =
      'devices' in target ? [...new Set(target.devices)] : await this.devices.matching(target.query, maxDevices + 1);
    if (found.length === 0) throw new DomainError('command.batch_empty');
    if (found.length > maxDevices)
      throw new DomainError('command.batch_too_large', { detail: `at most ${maxDevices} vehicles` });
    return found;
  }

  private async identitiesOf(...subjects: string[]): Promise<Map<string, Person>> {
    const { operators } = await this.nats.request(operatorsGet, { subjects: [...new Set(subjects)] });
    return new Map(operators.map(({ subject, identity, keyedBy }) => [subject, { identity, keyedBy }]));
  }
}
