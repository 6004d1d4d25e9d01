/** `telemetry list | tail | verify | export | stats | verify-receipt | verify-export | epoch | finding`: what vehicles sent, and what proves it. */
import { Command } from 'commander';
import { epochCommand } from './epoch.command.js';
import { evidenceCommands } from './evidence.command.js';
import { findingCommand } from './finding.command.js';
import { rangeCommands } from './range.command.js';
import { tailCommand } from './tail.command.js';

export function telemetryCommand(): Command {
  const telemetry = new Command('telemetry').description('what vehicles send');
  const others = [epochCommand(), findingCommand()];
  for (const command of [tailCommand(), ...rangeCommands(), ...evidenceCommands(), ...others])
    telemetry.addCommand(command);
  return telemetry;
}
