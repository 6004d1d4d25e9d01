import { Inject, Injectable } from '@nestjs/common';
import { parseNetwork } from '@outrider/admission';
import { blockChanged, type DenylistMode, type Enforcement } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { Database, Outbox } from '@outrider/platform/postgres';
import { CONFIG, Metrics } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import type { Config } from '../config.js';
import { Devices, type RecoveredDevice } from '../device/devices.repository.js';
import { type Block, type BlockAct, type BlockWish, block, expire, isWeaker, recover, unblock } from './block.js';
import { BlockChecks, type Operator } from './block-checks.service.js';
import { BlockDelivery } from './block-delivery.service.js';
import { type BlockBody, expiryOf, type UnblockBody } from './block-request.js';
import { type BlockTarget, membersOf, type NamedTargets, targetOf } from './block-target.js';
import { Blocks } from './blocks.repository.js';

/** `pending` names `revocation` itself, without a time, where it has not taken the change over yet. */
export interface BlockAnswer extends NamedTargets {
  readonly blocked: boolean;
  readonly mode?: DenylistMode;
  readonly expires_at?: string;
  readonly enforcedBy: Enforcement['enforcedBy'];
  readonly pending: readonly { readonly instance: string; readonly failsClosedAt?: string }[];
}

/** Block and unblock. What PostgreSQL has committed holds: provisioning and revocation get it, sooner or later. */
@Injectable()
export class BlockService {
  private readonly changes;

  constructor(
    private readonly database: Database,
    private readonly blocks: Blocks,
    private readonly devices: Devices,
    private readonly delivery: BlockDelivery,
    private readonly checks: BlockChecks,
    private readonly outbox: Outbox,
    @Inject(CONFIG) private readonly config: Config,
    metrics: Metrics,
  ) {
    this.changes = metrics.counter('outrider_block_changes_total', 'Blocks set, lifted and expired.', [
      'kind',
      'change',
    ]);
  }

  async block(body: BlockBody, operator: Operator, now: Date): Promise<BlockAnswer> {
    const target = targetOf(body);
    const { thumbprint, ticket, reason } = body;
    // Of a device and a certificate the way to be recovered stays open; an address or a token has nothing to recover.
    const isVehicle = target.kind === 'device' || target.kind === 'certificate';
    const { mode = isVehicle ? 'recovery' : 'deny' } = body;
    const expiresAt = expiryOf(body, target.kind, now);
    if (target.kind === 'device') await this.checks.requireDeviceToExist(target.value, thumbprint);
    const deviceId = await this.checks.deviceOf(target);
    if (deviceId) await this.checks.requireNotForbidden('block', deviceId, operator, now);
    if (target.kind === 'network') requireElsewhere(target.value, operator.remoteAddress);
    const wish = { target, mode, thumbprint: target.kind === 'device' ? thumbprint : undefined, expiresAt };
    const act = { by: operator.subject, reason: reason ?? 'blocked by an operator', ticket, now };
    if (!(await this.tryToBlock(wish, act, false))) {
      if (!reason) throw new DomainError('gateway.reason_required', { detail: 'it is blocked harder or for longer' });
      if (deviceId) await this.checks.requireNotForbidden('unblock', deviceId, operator, now);
      await this.tryToBlock(wish, act, true);
    }
    return this.answer(target, { blocked: true, mode, ...(expiresAt ? { expires_at: expiresAt.toISOString() } : {}) });
  }

  async unblock(body: UnblockBody, operator: Operator, now: Date): Promise<BlockAnswer> {
    const target = targetOf(body);
    const { reason, ticket } = body;
    if (!reason) throw new DomainError('gateway.reason_required');
    const deviceId = await this.checks.deviceOf(target);
    if (deviceId) await this.checks.requireNotForbidden('unblock', deviceId, operator, now);
    const isCompromised = await this.devices.isTargetCompromised(target);
    await this.database.transaction(async (tx) => {
      const act = { by: operator.subject, reason, ticket, now };
      await this.save(tx, unblock(await this.blocks.lock(tx, target), isCompromised, act), 'unblocked');
    });
    return this.answer(target, { blocked: false });
  }

  /** Its time is over. @returns what became of it; undefined where nothing changed: somebody was quicker. */
  async expire(target: BlockTarget, now: Date): Promise<Block | undefined> {
    const isCompromised = await this.devices.isTargetCompromised(target);
    const after = await this.database.transaction(async (tx) => {
      const changed = expire(await this.blocks.lock(tx, target), isCompromised, now);
      if (changed) await this.save(tx, changed, 'expired');
      return changed;
    });
    if (after) await this.delivery.deliver(target, 0);
    return after;
  }

  /** Two operators gave the device its way back: the block that they knew of ends. */
  async recovered(recovered: RecoveredDevice, now: Date): Promise<void> {
    const { deviceId, blockedUpTo, approvedBy: by, reason } = recovered;
    const target = { kind: 'device', value: deviceId } as const;
    const isOver = await this.database.transaction(async (tx) => {
      await this.devices.saveRecovered(tx, recovered);
      const upTo = blockedUpTo === undefined ? undefined : new Date(blockedUpTo);
      const after = recover(await this.blocks.lock(tx, target), upTo, { by, reason, now });
      if (after) await this.save(tx, after, 'unblocked');
      return after !== undefined;
    });
    if (isOver) await this.delivery.deliver(target, 0);
  }

  /** @returns false where it would weaken what is there, and may not: nothing is changed. No policy is asked under the lock. */
  private tryToBlock(wish: BlockWish, act: BlockAct, mayWeaken: boolean): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      const before = await this.blocks.lock(tx, wish.target);
      if (!mayWeaken && isWeaker(wish, before)) return false;
      const after = block(before, wish, act);
      if (after) await this.save(tx, after, 'blocked');
      return true;
    });
  }

  /** The registry is told of devices alone: it quarantines no address. */
  private async save(tx: EntityManager, after: Block, change: 'blocked' | 'unblocked' | 'expired'): Promise<void> {
    const { target, blocked, mode, reason, changedBy: by, changedAt } = after;
    await this.blocks.save(tx, after);
    this.changes.inc({ kind: target.kind, change });
    if (target.kind !== 'device') return;
    const event = { deviceId: target.value, blocked, reason, by, at: changedAt.toISOString() };
    await this.outbox.add(tx, blockChanged, { ...event, ...(blocked ? { mode } : {}) }, target.value);
  }

  private async answer(
    target: BlockTarget,
    state: Pick<BlockAnswer, 'blocked' | 'mode' | 'expires_at'>,
  ): Promise<BlockAnswer> {
    const enforcement = await this.delivery.deliver(target, this.config.enforcementWaitMs);
    const { enforcedBy, pending } = enforcement ?? { enforcedBy: [], pending: [{ instance: 'revocation' }] };
    return { ...membersOf(target), ...state, enforcedBy, pending };
  }
}

/** Networks are enforced on operator listeners too. @throws DomainError `gateway.network_refused` */
function requireElsewhere(network: string, remoteAddress: string): void {
  const own = parseNetwork(remoteAddress);
  const blocked = parseNetwork(network);
  if (!own || !blocked || own.bits !== blocked.bits) return;
  const hostBits = BigInt(blocked.bits - blocked.prefix);
  if (own.number >> hostBits === blocked.number >> hostBits)
    throw new DomainError('gateway.network_refused', { detail: 'your own address is in it: nobody could unblock it' });
}
