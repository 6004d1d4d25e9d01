/** `telemetry epoch show | list-held | open`: after a backup was restored, see who waits and let them go on (docs/runbooks/restore-telemetry.md). */
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { inSession, type Session } from '../session.service.js';
import { deviceOption } from './options.js';

const Held = z.looseObject({ device_id: z.string(), epoch: z.number(), known_epoch: z.number().nullable() });
const HeldPage = z.object({ items: z.array(Held), next: z.string().nullish() });
const Shown = z.looseObject({
  ...{ epoch: z.number(), min_epoch: z.number(), held: z.boolean() },
  orders: z.array(z.looseObject({})),
  rollbacks: z.array(z.looseObject({})),
});
const Opened = z.looseObject({ device_id: z.string(), min_epoch: z.number() });
const PAGE = 1000;
/** Pages of a thousand devices are opened one after the other before the answer comes. */
const ALL_MS = 600_000;

interface OpenOptions {
  readonly device: readonly string[];
  readonly held?: boolean;
  readonly reason: string;
}

export function epochCommand(): Command {
  return new Command('epoch')
    .description("devices' epochs, and those that a restored backup left held")
    .addCommand(
      new Command('show')
        .description("a device's epoch, who opened it and why, and what a restored backup had lost")
        .addOption(deviceOption())
        .action(({ device }: { device: string }, command: Command) =>
          inSession(command, (session) => show(session, device)),
        ),
    )
    .addCommand(
      new Command('list-held')
        .description('devices whose telemetry waits for a new epoch')
        .action((_options: object, command: Command) => inSession(command, listHeld)),
    )
    .addCommand(
      new Command('open')
        .description(
          'open a new epoch, for devices or for all that are held; nothing of the old ones is taken live any more',
        )
        .option('--device <id>', 'for this device; may be repeated', (id: string, ids: string[]) => [...ids, id], [])
        .addOption(new Option('--held', 'for all devices that are held').conflicts('device'))
        .requiredOption('--reason <text>', 'stands in the history')
        .action((options: OpenOptions, command: Command) => inSession(command, (session) => open(session, options))),
    );
}

async function show({ operator, output }: Session, device: string): Promise<void> {
  const shown = Shown.parse(await operator.call('telemetry', 'GET', epochPath(device)));
  if (output.json) {
    output.record(shown);
    return;
  }
  const { orders, rollbacks, ...rest } = shown;
  output.record(rest);
  const opened = orders.map((one) => [one.min_epoch, one.former_epoch, one.ordered_at, one.ordered_by, one.reason]);
  if (opened.length > 0) output.table(orders, ['OPENED', 'BEFORE', 'AT', 'BY', 'REASON'], opened);
  const lost = rollbacks.map((one) => [one.stream, one.epoch, one.seq, one.found_at]);
  if (lost.length > 0) output.table(rollbacks, ['STREAM', 'EPOCH', 'LOST UP TO', 'FOUND'], lost);
}

async function listHeld({ operator, output }: Session): Promise<void> {
  let after: string | undefined;
  let count = 0;
  do {
    const query = { after, limit: PAGE };
    const page = HeldPage.parse(await operator.call('telemetry', 'GET', '/v1/epochs/held', { query }));
    for (const one of page.items)
      output.item(one, [one.device_id, `epoch ${one.epoch}`, `known up to epoch ${one.known_epoch ?? '-'}`]);
    count += page.items.length;
    after = page.next ?? undefined;
  } while (after !== undefined);
  if (count === 0 && !output.json) output.write('none');
}

async function open({ operator, output }: Session, { device, held, reason }: OpenOptions): Promise<void> {
  if (!held && device.length === 0) throw new InvalidArgumentError('say --device, or --held for all that are held');
  const [one] = device;
  if (one !== undefined && device.length === 1) {
    output.record(Opened.parse(await operator.call('telemetry', 'POST', epochPath(one), { body: { reason } })));
    return;
  }
  const body = { devices: held ? 'held' : device, reason };
  const answer = await operator.call('telemetry', 'POST', '/v1/epochs', { body, timeoutMs: ALL_MS });
  output.record(z.looseObject({ opened: z.number() }).parse(answer));
}

function epochPath(device: string) {
  return `/v1/devices/${encodeURIComponent(device)}/epoch` as const;
}
