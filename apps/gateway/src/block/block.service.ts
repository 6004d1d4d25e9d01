import { Inject, Injectable } from '@nestjs/common';
import { blockChanged, type DenylistMode, deviceGet, type Enforcement } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import type { OperatorAdmission } from '@outrider/platform/admission';
import { Nats } from '@outrider/platform/nats';
import { Forbids, operatorAttributes, outOfServiceRequest } from '@outrider/platform/policy';
import { Database, Outbox } from '@outrider/platform/postgres';
import { CONFIG, LOGGER } from '@outrider/platform/service';
import type { Logger } from 'pino';
import type { EntityManager } from 'typeorm';
import { DeviceContextService } from '../attributes/device-context.service.js';
import type { Config } from '../config.js';
import { Devices, type RecoveredDevice } from '../device/devices.repository.js';
import { type Block, block, recover, unblock } from './block.js';
import { BlockDelivery } from './block-delivery.service.js';
import { type BlockBody, requireDevice, type UnblockBody } from './block-request.js';
import { Blocks } from './blocks.repository.js';

const ASK_TIMEOUT_MS = 1000;

/** `pending` names `revocation` itself, without a time, where it has not taken the change over yet. */
export interface BlockAnswer {
  readonly device_id: DeviceId;
  readonly blocked: boolean;
  readonly mode?: DenylistMode;
  readonly enforcedBy: Enforcement['enforcedBy'];
  readonly pending: readonly { readonly instance: string; readonly failsClosedAt?: string }[];
}

type Operator = Pick<OperatorAdmission, 'subject' | 'claims'>;

/** Block and unblock. What PostgreSQL has committed holds: provisioning and revocation get it, sooner or later. */
@Injectable()
export class BlockService {
  constructor(
    private readonly database: Database,
    private readonly blocks: Blocks,
    private readonly devices: Devices,
    private readonly delivery: BlockDelivery,
    private readonly context: DeviceContextService,
    private readonly forbids: Forbids,
    private readonly outbox: Outbox,
    private readonly nats: Nats,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async block(body: BlockBody, operator: Operator, now: Date): Promise<BlockAnswer> {
    const deviceId = requireDevice(body.device_id);
    const { thumbprint, reason = 'blocked by an operator', mode = 'recovery' } = body;
    await this.requireDeviceToExist(deviceId, thumbprint);
    await this.requireNotForbidden('block', deviceId, operator, now);
    const by = operator.subject;
    await this.database.transaction(async (tx) => {
      const before = await this.blocks.lock(tx, deviceId);
      const after = block(before, { deviceId, mode, thumbprint }, { by, reason, now });
      if (after) await this.save(tx, after);
    });
    return this.answer(deviceId, { blocked: true, mode });
  }

  async unblock(body: UnblockBody, operator: Operator, now: Date): Promise<BlockAnswer> {
    const deviceId = requireDevice(body.device_id);
    const { reason } = body;
    if (!reason) throw new DomainError('gateway.reason_required');
    await this.requireNotForbidden('unblock', deviceId, operator, now);
    const by = operator.subject;
    const isCompromised = await this.devices.isCompromised(deviceId);
    await this.database.transaction(async (tx) => {
      const after = unblock(await this.blocks.lock(tx, deviceId), isCompromised, { by, reason, now });
      await this.save(tx, after);
    });
    return this.answer(deviceId, { blocked: false });
  }

  /** Two operators gave the device its way back: the block that they knew of ends. */
  async recovered(recovered: RecoveredDevice, now: Date): Promise<void> {
    const { deviceId, blockedUpTo, approvedBy: by, reason } = recovered;
    const isOver = await this.database.transaction(async (tx) => {
      await this.devices.saveRecovered(tx, recovered);
      const upTo = blockedUpTo === undefined ? undefined : new Date(blockedUpTo);
      const after = recover(await this.blocks.lock(tx, deviceId), upTo, { by, reason, now });
      if (after) await this.save(tx, after);
      return after !== undefined;
    });
    if (isOver) await this.delivery.deliver(deviceId, 0);
  }

  /** By what is known here; what cannot be known holds up nothing. @throws DomainError `policy.denied` */
  private async requireNotForbidden(
    action: 'block' | 'unblock',
    deviceId: DeviceId,
    { subject, claims }: Operator,
    now: Date,
  ): Promise<void> {
    const known = await this.context.ownWord(deviceId, now).catch((error: unknown) => {
      this.logger.warn({ err: error, deviceId }, 'nothing is known of the device: policies are asked without');
      return undefined;
    });
    this.forbids.requireNone(outOfServiceRequest(action, subject, operatorAttributes(claims), deviceId, known, now));
  }

  private async save(tx: EntityManager, after: Block): Promise<void> {
    const { deviceId, blocked, mode, reason, changedBy: by, changedAt } = after;
    await this.blocks.save(tx, after);
    const event = { deviceId, blocked, reason, by, at: changedAt.toISOString(), ...(blocked ? { mode } : {}) };
    await this.outbox.add(tx, blockChanged, event, deviceId);
  }

  private async answer(
    device_id: DeviceId,
    state: Pick<BlockAnswer, 'blocked'> & { mode?: DenylistMode },
  ): Promise<BlockAnswer> {
    const enforcement = await this.delivery.deliver(device_id, this.config.enforcementWaitMs);
    const { enforcedBy, pending } = enforcement ?? { enforcedBy: [], pending: [{ instance: 'revocation' }] };
    return { device_id, ...state, enforcedBy, pending };
  }

  /**
   * Asks provisioning where our own projection cannot tell. Its silence stops no block.
   * @throws DomainError `gateway.target_conflict`, `provisioning.device_not_found`
   */
  private async requireDeviceToExist(deviceId: DeviceId, thumbprint: Thumbprint | undefined): Promise<void> {
    if (!thumbprint && (await this.devices.isKnown(deviceId))) return;
    try {
      const { device, certificates } = await this.nats.request(deviceGet, { deviceId }, { timeoutMs: ASK_TIMEOUT_MS });
      await this.devices.save(device);
      if (thumbprint && !certificates.some((certificate) => certificate.thumbprint === thumbprint))
        throw new DomainError('gateway.target_conflict');
    } catch (error) {
      if (!(error instanceof DomainError) || !error.code.startsWith('service.')) throw error;
      this.logger.warn(
        { deviceId, code: error.code },
        'provisioning does not answer: the block is not checked with it',
      );
    }
  }
}
