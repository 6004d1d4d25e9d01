#!/usr/bin/env node
/** `outrider`: what an operator types. */
import { Command, CommanderError } from 'commander';
import { accountCommand } from './account/account.command.js';
import { bundleCommand } from './bundle/bundle.command.js';
import { commandCommand } from './command/command.command.js';
import { deviceCommand } from './device/device.command.js';
import { elevationCommand } from './elevation/elevation.command.js';
import { enrolmentCommand } from './enrolment/enrolment.command.js';
import { EXIT, exitCodeOf } from './exit-code.js';
import { factoryCommand } from './factory/factory.command.js';
import { findingCommand } from './finding/finding.command.js';
import { fleetCommand } from './fleet/fleet.command.js';
import { blockCommand, blocksCommand, unblockCommand } from './gateway/block.command.js';
import { decisionsCommand } from './gateway/decisions.command.js';
import { geofenceCommand } from './geofence/geofence.command.js';
import { loginCommand } from './login/login.command.js';
import { Problem } from './operator/problem.js';
import { orderCommand } from './order/order.command.js';
import { printable } from './output/text-table.js';
import { personCommand } from './person/person.command.js';
import { policyCommand } from './policy/policy.command.js';
import { revocationsCommand } from './revocation/revocations.command.js';
import { releaseCommand, revokeCommand } from './revocation/revoke.command.js';
import { telemetryCommand } from './telemetry/telemetry.command.js';
import { tokenCommand } from './token.command.js';

const EXIT_CODES = `
Exit codes: 0 done; 1 refused or failed; 2 wrong usage; 3 no suite, or a service that does not answer;
4 not allowed (401, 403); 5 accepted, but not there yet or not known (--wait, --wait-enforced).
Finds the suite by OUTRIDER_ENDPOINTS, by OUTRIDER_HOME, or in the project's .outrider.`;

const program = new Command('outrider')
  .description('operate an Outrider suite')
  .addHelpText('after', EXIT_CODES)
  .addCommand(factoryCommand())
  .addCommand(deviceCommand())
  .addCommand(orderCommand())
  .addCommand(fleetCommand())
  .addCommand(enrolmentCommand())
  .addCommand(findingCommand())
  .addCommand(telemetryCommand())
  .addCommand(commandCommand())
  .addCommand(revokeCommand())
  .addCommand(releaseCommand())
  .addCommand(revocationsCommand())
  .addCommand(blockCommand())
  .addCommand(unblockCommand())
  .addCommand(blocksCommand())
  .addCommand(geofenceCommand())
  .addCommand(decisionsCommand())
  .addCommand(policyCommand())
  .addCommand(tokenCommand())
  .addCommand(loginCommand())
  .addCommand(personCommand())
  .addCommand(accountCommand())
  .addCommand(elevationCommand())
  .addCommand(bundleCommand());
everyCommand(program, (command) =>
  command
    .exitOverride()
    .option('--json', 'answers as JSON, for scripts')
    .option('--elevation <id>', 'with the right that an approved elevation gives; for service accounts')
    .option(
      '--as <operator>',
      'by another operator: one that endpoints.json names, e.g. local-approver, or a person after login',
    ),
);
// A reader that has seen enough (head) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : EXIT.failed));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  } else {
    tell(error);
    process.exitCode = exitCodeOf(error);
  }
}

function everyCommand(command: Command, apply: (command: Command) => void): void {
  apply(command);
  for (const child of command.commands) everyCommand(child, apply);
}

/** Always on standard error; with `--json` as the problem document itself, if there is one. */
function tell(error: unknown): void {
  if (process.argv.includes('--json') && error instanceof Problem && typeof error.document === 'object') {
    console.error(JSON.stringify(error.document));
  } else {
    console.error(printable(error instanceof Error ? error.message : error));
  }
}
