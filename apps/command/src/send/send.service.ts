import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { CommandId, type DeviceId } from '@outrider/ids';
import { Database } from '@outrider/platform/postgres';
import { CONFIG } from '@outrider/platform/service';
import type { EntityManager } from 'typeorm';
import { type Command, cancel, type RequestedAs } from '../command/command.js';
import { Commands } from '../command/commands.repository.js';
import type { Config } from '../config.js';
import { Devices } from '../device/devices.service.js';
import { requireReachable } from '../device/reachable.js';
import { DispatchPolicy } from '../policy/dispatch-policy.service.js';
import { queueCommand, requireRight, type SendRequest } from './send-command.js';

interface KeyRow {
  command_id: CommandId;
  body_sha256: string;
}

/** Who sends: `op:<uuid>`, and what its token says of it and lets it do. */
export interface Requester {
  readonly subject: string;
  readonly attributes: RequestedAs;
  readonly scopes: readonly string[];
}

@Injectable()
export class SendService {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly database: Database,
    private readonly commands: Commands,
    private readonly devices: Devices,
    private readonly policy: DispatchPolicy,
  ) {}

  /**
   * Queues a command once per (operator, key): the same body again gives the same command, another body
   * `command.idempotency_mismatch`. Parallel requests wait for the first one's commit on the key's row.
   * @throws DomainError `auth.scope_insufficient`, `policy.denied`, `policy.unavailable`, and what `queueCommand` and `requireReachable` throw
   */
  async send(
    deviceId: DeviceId,
    request: SendRequest,
    { subject: requestedBy, attributes: requestedAs, scopes }: Requester,
    key: string,
    fingerprint: string,
  ): Promise<Command> {
    const now = new Date();
    const { defaultExpirySeconds, defaultTimeoutSeconds } = this.config;
    const id = CommandId.parse(randomUUID());
    const command = queueCommand(request, {
      id,
      deviceId,
      requestedBy,
      requestedAs,
      now,
      defaultExpirySeconds,
      defaultTimeoutSeconds,
    });
    requireRight(command, scopes);
    await this.policy.prepare(deviceId);
    const winner = await this.database.transaction(async (tx) => {
      if (!(await this.claim(tx, requestedBy, key, fingerprint, id, now)))
        return this.earlier(tx, requestedBy, key, fingerprint);
      requireReachable(await this.devices.get(tx, deviceId), command.critical);
      await this.commands.insert(tx, command, await this.policy.require(command, now));
      return id;
    });
    return winner === id ? command : this.get(winner);
  }

  /** Throws `command.not_found`. */
  async get(id: CommandId): Promise<Command> {
    const command = await this.commands.find(id);
    if (!command) throw new DomainError('command.not_found');
    return command;
  }

  /** Before the release only: `command.state_conflict` afterwards, since it may have happened. */
  cancel(id: CommandId, by: string): Promise<Command> {
    return this.database.transaction(async (tx) => {
      const command = await this.commands.lock(tx, id);
      if (!command) throw new DomainError('command.not_found');
      const cancelled = cancel(command, `cancelled by ${by}`, new Date());
      await this.commands.save(tx, cancelled);
      return cancelled.command;
    });
  }

  /** True when the key was free or had run out; blocks while another transaction holds it. */
  private async claim(
    tx: EntityManager,
    by: string,
    key: string,
    fingerprint: string,
    id: CommandId,
    now: Date,
  ): Promise<boolean> {
    const oldest = new Date(now.getTime() - this.config.idempotencySeconds * 1000);
    await tx.query('DELETE FROM idempotency_keys WHERE requested_by = $1 AND key = $2 AND created_at < $3', [
      by,
      key,
      oldest,
    ]);
    const claimed: unknown[] = await tx.query(
      `INSERT INTO idempotency_keys (requested_by, key, body_sha256, command_id, created_at)
       VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING command_id`,
      [by, key, fingerprint, id, now],
    );
    return claimed.length === 1;
  }

  private async earlier(tx: EntityManager, by: string, key: string, fingerprint: string): Promise<CommandId> {
    const [row] = await tx.query<KeyRow[]>(
      'SELECT command_id, body_sha256 FROM idempotency_keys WHERE requested_by = $1 AND key = $2',
      [by, key],
    );
    if (!row)
      throw new DomainError('service.unavailable', { detail: 'the key was released meanwhile', retryAfterSeconds: 1 });
    if (row.body_sha256 !== fingerprint) throw new DomainError('command.idempotency_mismatch');
    return row.command_id;
  }
}
