import { Injectable } from '@nestjs/common';
import type { Enforcement } from '@outrider/contracts';
import { afterCommit, Database } from '@outrider/platform/postgres';
import type { EntityManager } from 'typeorm';
import { EnforcementService } from '../enforcement/enforcement.service.js';
import type { Claim, ClaimSource, EntryName } from './claim.js';
import { type Change, DenylistRepository, type Urgency } from './denylist.repository.js';
import { DenylistWriter } from './denylist-writer.service.js';
import { requireEntryValue } from './entry-value.js';

type Wish = Extract<ClaimSource, 'request' | 'lasting'>;

/** Changes of the list: by other services' requests, and within the transactions of this one. */
@Injectable()
export class DenylistService {
  constructor(
    private readonly database: Database,
    private readonly denylist: DenylistRepository,
    private readonly writer: DenylistWriter,
    private readonly enforcement: EnforcementService,
  ) {}

  /** Within `tx`; written to the bucket as soon as it has committed, what is `bulk` behind all else. */
  async claim(
    tx: EntityManager,
    source: ClaimSource,
    claims: readonly Claim[],
    now: Date,
    urgency: Urgency = {},
  ): Promise<Change> {
    const change = await this.denylist.claim(tx, source, claims, now, urgency);
    if (change.changed) afterCommit(tx, this.writer.kick);
    return change;
  }

  /** Within `tx`, what these sources claim of one name. With a revocation's claim goes what a restore found in the bucket: blocks aside, it is the same. */
  async withdraw(tx: EntityManager, sources: readonly ClaimSource[], name: EntryName, now: Date): Promise<Change> {
    const change = await this.denylist.withdraw(tx, sources, [name], now);
    if (change.changed) afterCommit(tx, this.writer.kick);
    return change;
  }

  /** Within `tx`, what holds claimed of these names: they were released. */
  async withdrawHeld(
    tx: EntityManager,
    names: readonly EntryName[],
    now: Date,
    urgency: Urgency = {},
  ): Promise<Change> {
    const change = await this.denylist.withdrawHeld(tx, names, now, urgency);
    if (change.changed) afterCommit(tx, this.writer.kick);
    return change;
  }

  /** On behalf of another service: what it may withdraw, and what not. @throws DomainError `request.invalid` */
  async add(wishes: Readonly<Record<Wish, readonly Claim[]>>, waitMs: number, now: Date): Promise<Enforcement> {
    for (const claim of [...wishes.request, ...wishes.lasting]) requireEntryValue(claim);
    const sequence = await this.database.transaction(async (tx) => {
      await this.denylist.lock(tx);
      const lasting = await this.claim(tx, 'lasting', wishes.lasting, now);
      const requested = await this.claim(tx, 'request', wishes.request, now);
      return Math.max(lasting.sequence, requested.sequence);
    });
    return this.enforcement.of(sequence, performance.now(), waitMs);
  }

  /** Withdraws what was requested. What was revoked stays: the entry lives on by that claim. */
  async remove(names: readonly EntryName[], waitMs: number, now: Date): Promise<Enforcement> {
    const { sequence } = await this.database.transaction(async (tx) => {
      const change = await this.denylist.withdrawRequested(tx, names, now);
      if (change.changed) afterCommit(tx, this.writer.kick);
      return change;
    });
    return this.enforcement.of(sequence, performance.now(), waitMs);
  }
}
