import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { deviceRevoked } from '@outrider/contracts';
import { Subscriptions } from '@outrider/platform/nats';
import { Database } from '@outrider/platform/postgres';
import { cancel } from '../command/command.js';
import { Commands } from '../command/commands.repository.js';

/** A revoked device gets nothing any more: what was not released yet is cancelled. */
@Injectable()
export class RevokedDevices implements OnApplicationBootstrap {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly database: Database,
    private readonly commands: Commands,
  ) {}

  onApplicationBootstrap(): void {
    this.subscriptions.consume(deviceRevoked, ({ deviceId, reason }) =>
      this.database.transaction(async (tx) => {
        for (const command of await this.commands.lockUnreleased(tx, deviceId)) {
          await this.commands.save(tx, cancel(command, `device revoked: ${reason}`, new Date()));
        }
      }),
    );
  }
}
