/** `device list`: a search through the registry, page by page. */
import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { UsageError } from '../exit-code.js';
import { inSession, type Session } from '../session.service.js';

const Device = z.looseObject({ device_id: z.string() });
const Page = z.object({ items: z.array(Device), next: z.string().nullish() });
const PAGE = 500;

interface ListOptions {
  readonly state?: string;
  readonly label: readonly string[];
  readonly manufacturer?: string;
  readonly vin?: string;
  readonly serialNumber?: string;
  readonly prefix?: string;
  readonly enrolled?: true;
  readonly notEnrolled?: true;
  readonly expiresBefore?: string;
  readonly limit?: number;
}

export function listCommand(): Command {
  return new Command('list')
    .description('the devices there are, or those that fit every option')
    .option('--state <state>', 'registered, active, quarantined, awaiting_recovery or retired')
    .option('--label <label>', 'carries it; may be repeated', (value, before: string[]) => [...before, value], [])
    .option('--manufacturer <name>', 'made by')
    .option('--vin <vin>', 'exactly')
    .option('--serial-number <number>', 'of its factory certificate, exactly')
    .option('--prefix <text>', 'what the device id begins with')
    .option('--enrolled', 'holds a fleet certificate that is good now')
    .option('--not-enrolled', 'holds none')
    .option('--expires-before <time>', 'its last certificate ends before then, e.g. 2030-01-31T00:00:00Z')
    .option('--limit <n>', 'at most so many', count)
    .action((options: ListOptions, command: Command) => inSession(command, (session) => listDevices(session, options)));
}

async function listDevices({ operator, output }: Session, options: ListOptions): Promise<void> {
  if (options.enrolled && options.notEnrolled) throw new UsageError('--enrolled and --not-enrolled fit no device');
  const most = options.limit ?? Number.POSITIVE_INFINITY;
  const query = {
    state: options.state,
    label: options.label,
    manufacturer: options.manufacturer,
    vin: options.vin,
    serial_number: options.serialNumber,
    prefix: options.prefix,
    enrolled: options.enrolled ? 'true' : options.notEnrolled ? 'false' : undefined,
    expires_before: options.expiresBefore,
  };
  const items: z.infer<typeof Device>[] = [];
  let after: string | undefined;
  do {
    const limit = Math.min(PAGE, most - items.length);
    const answer = await operator.call('provisioning', 'GET', '/v1/devices', { query: { limit, after, ...query } });
    const page = Page.parse(answer);
    items.push(...page.items);
    after = page.next ?? undefined;
  } while (after !== undefined && items.length < most);
  const rows = items.map((device) => [
    device.device_id,
    device.state,
    device.manufacturer,
    device.serial_number,
    device.labels,
  ]);
  output.table({ items }, ['DEVICE', 'STATE', 'MANUFACTURER', 'SERIAL NUMBER', 'LABELS'], rows);
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('give a number from 1 on');
  return value;
}
