/** `telemetry list | tail | verify | export | stats | verify-receipt | verify-export`: what vehicles sent, and what proves it. */
import { Command } from 'commander';
import { evidenceCommands } from './evidence.command.js';
import { rangeCommands } from './range.command.js';
import { tailCommand } from './tail.command.js';

export function telemetryCommand(): Command {
  const telemetry = new Command('telemetry').description('what vehicles send');
  for (const command of [tailCommand(), ...rangeCommands(), ...evidenceCommands()]) telemetry.addCommand(command);
  return telemetry;
}
