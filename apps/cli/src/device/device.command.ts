/** `device list | show | import | event | retire | history`: the registry. */
import { Command } from 'commander';
import { z } from 'zod';
import { inSession, type Session } from '../session.service.js';
import { importCommand } from './import.command.js';
import { eventCommand, historyCommand, retireCommand } from './lifecycle.command.js';
import { listCommand } from './list.command.js';

const Certificate = z.looseObject({});
export function deviceCommand(): Command {
  const show = new Command('show')
    .description('one device and its certificates')
    .argument('<id>')
    .action((id: string, _options: unknown, command: Command) => inSession(command, (s) => showDevice(s, id)));
  return new Command('device')
    .description('the device registry')
    .addCommand(listCommand())
    .addCommand(show)
    .addCommand(importCommand())
    .addCommand(eventCommand())
    .addCommand(retireCommand())
    .addCommand(historyCommand());
}

async function showDevice({ operator, output }: Session, id: string): Promise<void> {
  const answer = await operator.call('provisioning', 'GET', `/v1/devices/${encodeURIComponent(id)}`);
  if (output.json) return output.record(answer as object);
  const { certificates, ...device } = z.looseObject({ certificates: z.array(Certificate).default([]) }).parse(answer);
  output.record(device);
  output.write('');
  const rows = certificates.map((one) => [statusOf(one), one.serial, one.thumbprint, one.not_after]);
  output.table(certificates, ['CERTIFICATE', 'SERIAL', 'THUMBPRINT', 'NOT AFTER'], rows);
}

/** A hold can be taken back, which no other revocation can. */
function statusOf({ status, revocation_reason }: z.infer<typeof Certificate>): unknown {
  return status === 'revoked' && revocation_reason === 'certificateHold' ? 'held' : status;
}
