/** `order request | list | show | approve | reject`: what it takes two operators to do. */
import { Argument, Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { UsageError } from '../exit-code.js';
import { inSession } from '../session.service.js';

const Order = z.looseObject({ order_id: z.string() });
const Page = z.object({ items: z.array(Order) });

interface RequestOptions {
  readonly reason: string;
  readonly evidence?: string;
  readonly ticket?: string;
  readonly factory?: { readonly manufacturer: string; readonly serial_number: string };
}

export function orderCommand(): Command {
  return new Command('order')
    .description('recovery, reinstatement, ECU swap: asked for by one operator, decided by another (--as)')
    .addCommand(requestCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(decisionCommand('approve', 'approve an order of another operator, and carry it out'))
    .addCommand(decisionCommand('reject', 'reject an order of another operator'));
}

function requestCommand(): Command {
  return new Command('request')
    .description('ask for an order')
    .argument('<device>')
    .addArgument(new Argument('<kind>').choices(['recovery', 'reinstate', 'ecu_swap']))
    .requiredOption('--reason <text>', 'for who decides, and for those who ask later')
    .option('--evidence <text>', 'of the hardware: what you saw, or where it is kept')
    .option('--ticket <id>', 'of your own ticket system')
    .option('--factory <manufacturer:serial>', "with ecu_swap: the new hardware's factory identity", factoryIdentity)
    .action((device: string, kind: string, options: RequestOptions, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        if ((kind === 'ecu_swap') !== (options.factory !== undefined)) {
          throw new UsageError('--factory: with ecu_swap, and only with it');
        }
        const { reason, evidence, ticket, factory } = options;
        const body = { kind, reason, evidence, ticket, factory };
        const path = `/v1/devices/${encodeURIComponent(device)}/orders` as const;
        output.record((await operator.call('provisioning', 'POST', path, { body })) as object);
      }),
    );
}

function listCommand(): Command {
  return new Command('list')
    .description('orders, newest first')
    .option('--state <state>', 'pending, approved, rejected or expired')
    .option('--device <id>')
    .action((options: { state?: string; device?: string }, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const page = Page.parse(await operator.call('provisioning', 'GET', '/v1/orders', { query: { ...options } }));
        const rows = page.items.map((one) => [
          one.order_id,
          one.device_id,
          one.kind,
          one.state,
          one.requested_by,
          one.requested_at,
          one.reason,
        ]);
        output.table(page, ['ORDER', 'DEVICE', 'KIND', 'STATE', 'REQUESTED BY', 'AT', 'REASON'], rows);
      }),
    );
}

function showCommand(): Command {
  return new Command('show')
    .description('one order')
    .argument('<order>')
    .action((order: string, _options: unknown, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const path = `/v1/orders/${encodeURIComponent(order)}` as const;
        output.record((await operator.call('provisioning', 'GET', path)) as object);
      }),
    );
}

function decisionCommand(verdict: 'approve' | 'reject', description: string): Command {
  return new Command(verdict)
    .description(description)
    .argument('<order>')
    .option('--reason <text>', 'for those who ask later')
    .action((order: string, { reason }: { reason?: string }, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const path = `/v1/orders/${encodeURIComponent(order)}/${verdict}` as const;
        output.record((await operator.call('provisioning', 'POST', path, { body: { reason } })) as object);
      }),
    );
}

/** The serial number may hold colons itself. */
function factoryIdentity(text: string): { manufacturer: string; serial_number: string } {
  const at = text.indexOf(':');
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError('<manufacturer>:<serial number>');
  return { manufacturer: text.slice(0, at), serial_number: text.slice(at + 1) };
}
