/** `geofence list | put FILE | delete`: areas, and who has to keep to them. */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { z } from 'zod';
import { UsageError } from '../exit-code.js';
import { inSession } from '../session.service.js';
import { readGeofence } from './geofence-file.js';

const List = z.object({ items: z.array(z.looseObject({})) });

interface PutOptions {
  readonly name?: string;
  readonly requiredFor?: string[];
  readonly timeZone?: string;
}

export function geofenceCommand(): Command {
  const list = new Command('list').description('all of them').action((_options: object, command: Command) =>
    inSession(command, async ({ operator, output }) => {
      const { items } = List.parse(await operator.call('gateway', 'GET', '/v1/geofences'));
      const rows = items.map((one) => [one.name, one.required_for, one.time_zone, one.changed_by, one.changed_at]);
      output.table({ items }, ['NAME', 'REQUIRED FOR', 'TIME ZONE', 'BY', 'AT'], rows);
    }),
  );
  const put = new Command('put')
    .description('make one, or put it in the place of the one of its name')
    .argument('<file>', 'GeoJSON: a Polygon or MultiPolygon, or a Feature with one')
    .option('--name <name>', "else the feature's properties.name")
    .option('--required-for <label...>', "devices that have to keep to it; else the feature's properties.required_for")
    .option('--time-zone <zone>', "of the vehicles in it, e.g. Europe/Berlin; else the feature's properties.time_zone")
    .action((path: string, options: PutOptions, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const { name, body } = wishOf(await readFile(path, 'utf8'), options);
        const made = await operator.call('gateway', 'PUT', `/v1/geofences/${encodeURIComponent(name)}`, { body });
        output.record(made as object);
      }),
    );
  const remove = new Command('delete')
    .description('nobody has to keep to it any more')
    .argument('<name>')
    .action((name: string, _options: object, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        await operator.call('gateway', 'DELETE', `/v1/geofences/${encodeURIComponent(name)}`);
        output.record({ name, deleted: true });
      }),
    );
  return new Command('geofence')
    .description('areas that vehicles keep to')
    .addCommand(list)
    .addCommand(put)
    .addCommand(remove);
}

function wishOf(text: string, options: PutOptions) {
  try {
    return readGeofence(text, options);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}
