/** Whether this vehicle was told to recover and has not yet: known across restarts, until it is enrolled anew. */
import type { CommandStore } from '../command/command.store.js';
import { RECOVERY } from '../command/own.js';

export class RecoveryStore {
  constructor(private readonly commands: CommandStore) {}

  wanted(): boolean {
    return this.commands.effect(RECOVERY) === 'asked';
  }

  done(): void {
    this.commands.affected(RECOVERY, 'done');
  }
}
