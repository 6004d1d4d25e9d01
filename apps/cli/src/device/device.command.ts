/** `device list | show | import | event | retire | history`: the registry. */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { z } from 'zod';
import { fromUser } from '../endpoints/endpoints.store.js';
import { UsageError } from '../exit-code.js';
import { inSession, type Session } from '../session.service.js';
import { eventCommand, historyCommand, retireCommand } from './lifecycle.command.js';

const Device = z.looseObject({ device_id: z.string() });
const Page = z.object({ items: z.array(Device), next: z.string().nullish() });
const Certificate = z.looseObject({});
const Results = z.object({
  results: z.array(z.looseObject({ device_id: z.string(), status: z.number(), code: z.string().optional() })),
});

const PAGE = 500;

export function deviceCommand(): Command {
  const list = new Command('list')
    .description('the devices there are')
    .option('--state <state>', 'registered, active, quarantined, awaiting_recovery or retired')
    .action((options: { state?: string }, command: Command) =>
      inSession(command, (s) => listDevices(s, options.state)),
    );
  const show = new Command('show')
    .description('one device and its certificates')
    .argument('<id>')
    .action((id: string, _options: unknown, command: Command) => inSession(command, (s) => showDevice(s, id)));
  const bring = new Command('import')
    .description('register devices from a JSON file')
    .argument('<file>', 'a list, or {"devices": [...]}, of {"device_id", "manufacturer", "serial_number", ...}')
    .action((file: string, _options: unknown, command: Command) => inSession(command, (s) => importDevices(s, file)));
  return new Command('device')
    .description('the device registry')
    .addCommand(list)
    .addCommand(show)
    .addCommand(bring)
    .addCommand(eventCommand())
    .addCommand(retireCommand())
    .addCommand(historyCommand());
}

async function listDevices({ operator, output }: Session, state: string | undefined): Promise<void> {
  const items: z.infer<typeof Device>[] = [];
  let after: string | undefined;
  do {
    const answer = await operator.call('provisioning', 'GET', '/v1/devices', { query: { limit: PAGE, after, state } });
    const page = Page.parse(answer);
    items.push(...page.items);
    after = page.next ?? undefined;
  } while (after !== undefined);
  const rows = items.map((device) => [
    device.device_id,
    device.state,
    device.manufacturer,
    device.serial_number,
    device.labels,
  ]);
  output.table({ items }, ['DEVICE', 'STATE', 'MANUFACTURER', 'SERIAL NUMBER', 'LABELS'], rows);
}

async function showDevice({ operator, output }: Session, id: string): Promise<void> {
  const answer = await operator.call('provisioning', 'GET', `/v1/devices/${encodeURIComponent(id)}`);
  if (output.json) return output.record(answer as object);
  const { certificates, ...device } = z.looseObject({ certificates: z.array(Certificate).default([]) }).parse(answer);
  output.record(device);
  output.write('');
  const rows = certificates.map(({ status, serial, thumbprint, not_after }) => [status, serial, thumbprint, not_after]);
  output.table(certificates, ['CERTIFICATE', 'SERIAL', 'THUMBPRINT', 'NOT AFTER'], rows);
}

/** Each device has its own result; one that was refused makes the whole exit with 1. */
async function importDevices({ operator, output }: Session, file: string): Promise<void> {
  const content = readDevices(file, await readFile(fromUser(file), 'utf8'));
  const results: z.infer<typeof Results>['results'] = [];
  for (let from = 0; from < content.length; from += PAGE) {
    const body = { devices: content.slice(from, from + PAGE) };
    const answer = await operator.call('provisioning', 'POST', '/v1/devices', { body, timeoutMs: 60_000 });
    results.push(...Results.parse(answer).results);
  }
  const rows = results.map(({ device_id, status, code }) => [device_id, status, code]);
  output.table({ results }, ['DEVICE', 'STATUS', 'CODE'], rows);
  const refused = results.filter(({ status }) => status >= 400).length;
  if (refused > 0) throw new Error(`${refused} of ${results.length} devices were refused`);
}

function readDevices(file: string, text: string): readonly unknown[] {
  const Content = z.union([
    z.array(z.unknown()),
    z.object({ devices: z.array(z.unknown()) }).transform((o) => o.devices),
  ]);
  try {
    return Content.parse(JSON.parse(text));
  } catch (cause) {
    throw new UsageError(`${file}: neither a JSON list of devices nor {"devices": [...]}`, { cause });
  }
}
