import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { CommandId, DeviceId } from '@outrider/ids';
import type { HistoryLine } from '../command/command.js';
import { Commands } from '../command/commands.repository.js';
import { Outcomes } from '../outcome/outcomes.repository.js';
import { commandView } from './command-view.js';

/** What operators read: the command, how it came to its state, and the vehicle's own words. */
@Injectable()
export class CommandReader {
  constructor(
    private readonly commands: Commands,
    private readonly outcomes: Outcomes,
  ) {}

  /** Throws `command.not_found`. */
  async show(id: CommandId) {
    const [command, history, outcome] = await Promise.all([
      this.commands.find(id),
      this.commands.history(id),
      this.outcomes.find(id),
    ]);
    if (!command) throw new DomainError('command.not_found');
    return {
      ...commandView(command),
      history: history.map(historyLine),
      ...(outcome ? { outcome } : {}),
    };
  }

  /** Newest first; `next` goes on from here. */
  async list(deviceId: DeviceId, before: string | undefined, limit: number) {
    const rows = await this.commands.list(deviceId, before, limit);
    const last = rows.at(-1);
    return { items: rows.map(commandView), next: last && rows.length === limit ? last.position : null };
  }
}

function historyLine({ state, at, reason, policies, policy_version }: HistoryLine) {
  return {
    state,
    at: at.toISOString(),
    ...(reason ? { reason } : {}),
    ...(policies && policy_version ? { policies, policy_version: Number(policy_version) } : {}),
  };
}
