/** `telemetry finding list`: what telemetry noticed of a device that no vehicle does by itself. */
import { Command } from 'commander';
import { z } from 'zod';
import { inSession } from '../session.service.js';
import { deviceOption, pathOf } from './options.js';

const Findings = z.object({ items: z.array(z.looseObject({})) });

export function findingCommand(): Command {
  const list = new Command('list')
    .description('replayed numbers, jumps, raised epochs, refused logs; the newest 100 first')
    .addOption(deviceOption())
    .action(({ device }: { device: string }, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const found = Findings.parse(await operator.call('telemetry', 'GET', pathOf(device, '/findings')));
        const rows = found.items.map((one) => [one.found_at, one.kind, one.stream, one.epoch, one.seq, one.detail]);
        output.table(found, ['AT', 'KIND', 'STREAM', 'EPOCH', 'SEQ', 'WHAT'], rows);
      }),
    );
  return new Command('finding').description('what is worth a look in what a device sent').addCommand(list);
}
