/** `enrolment list | approve | reject`: enrolments that wait for an operator. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { inSession } from '../session.service.js';

const Page = z.object({ items: z.array(z.looseObject({})), next: z.string().nullish() });

interface ListOptions {
  readonly state?: string;
  readonly device?: string;
  readonly limit: number;
}

export function enrolmentCommand(): Command {
  const list = new Command('list')
    .description('enrolments at a label that asks an operator, the newest first')
    .addOption(new Option('--state <state>').choices(['pending', 'approved', 'rejected', 'issued', 'expired']))
    .option('--device <id>')
    .option('--limit <n>', 'at most', whole, 100)
    .action(({ state, device, limit }: ListOptions, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const query = { state, device, limit };
        const page = Page.parse(await operator.call('provisioning', 'GET', '/v1/enrolments', { query }));
        const rows = page.items.map((one) => [
          one.id,
          one.state,
          one.device_id,
          one.manufacturer,
          one.serial_number,
          one.label,
          one.requested_at,
          one.remote_address,
          one.csr_sha256,
        ]);
        const head = [
          'ID',
          'STATE',
          'DEVICE',
          'MANUFACTURER',
          'SERIAL NUMBER',
          'LABEL',
          'ASKED AT',
          'FROM',
          'SHA-256 OF REQUEST',
        ];
        output.table(page, head, rows);
      }),
    );
  return new Command('enrolment')
    .description('enrolments that wait for an operator')
    .addCommand(list)
    .addCommand(decision('approve', 'the next retry of that request is issued', false))
    .addCommand(decision('reject', 'the device is told so', true));
}

function decision(verb: 'approve' | 'reject', what: string, needsReason: boolean): Command {
  const reason = new Option('--reason <text>', 'for those who ask later').makeOptionMandatory(needsReason);
  return new Command(verb)
    .description(what)
    .argument('<id>', 'of the enrolment')
    .addOption(reason)
    .action((id: string, body: { reason?: string }, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const path = `/v1/enrolments/${encodeURIComponent(id)}/${verb}` as const;
        output.record((await operator.call('provisioning', 'POST', path, { body })) as object);
      }),
    );
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number above 0');
  return value;
}
