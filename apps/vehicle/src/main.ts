#!/usr/bin/env node
/** The vehicle agent's command line. Exit codes: 0 done or stopped, 1 failed, 2 wrong usage. */
import { Command, CommanderError } from 'commander';
import { runCommand } from './run.command.js';
import { simulateCommand } from './simulate.command.js';

const program = new Command('outrider-vehicle')
  .description('the reference vehicle agent and fleet simulator')
  .addCommand(runCommand())
  .addCommand(simulateCommand());
for (const command of [program, ...program.commands]) command.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
