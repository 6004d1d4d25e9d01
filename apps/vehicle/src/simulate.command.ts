/** `simulate`: a fleet in one process, with factory identities of the demo manufacturer where there are none yet. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DeviceId } from '@outrider/ids';
import { Command } from 'commander';
import type { VehicleOptions } from './agent/vehicle.service.js';
import { loadDrive } from './drive/drive.store.js';
import { type Platform, readPlatform } from './endpoints/endpoints.store.js';
import { ensureFactoryIdentity, registerVehicles } from './fleet/factory-identity.store.js';
import { FleetService } from './fleet/fleet.service.js';
import { outputSink } from './report/report.service.js';
import { type DriveOptions, onSignal, openTracer, vehicleOptions, whole, withDriveOptions } from './run.command.js';

interface SimulateOptions extends DriveOptions {
  readonly state: string;
  readonly vehicles: number;
  readonly prefix: string;
  readonly devices?: string;
  readonly ramp: number;
}

export function simulateCommand(): Command {
  return withDriveOptions(new Command('simulate'))
    .description('be many vehicles')
    .option('--state <dir>', 'holds a directory for each vehicle', '.outrider/vehicles')
    .option('--vehicles <n>', 'how many: <prefix>1, <prefix>2, ...', whole, 3)
    .option('--prefix <text>', 'of the device ids', 'demo-')
    .option('--devices <file>', 'the device ids, one a line, in place of --vehicles')
    .option('--ramp <ms>', 'between the start of one vehicle and the next', Number, 50)
    .action(async (options: SimulateOptions) => {
      const platform = await readPlatform(resolve(options.endpoints));
      const ids = await deviceIds(options);
      const stateDirectory = resolve(options.state);
      await equip(ids, stateDirectory, platform);
      const fleet = new FleetService();
      onSignal(() => fleet.stop());
      const tracer = await openTracer(options);
      const vehicles = await Promise.all(ids.map((id) => vehicle(id, stateDirectory, platform, options, tracer)));
      await fleet.run(vehicles, { rampMs: options.ramp, failed: reportFailure });
      await tracer?.close();
    });
}

async function equip(ids: readonly DeviceId[], stateDirectory: string, platform: Platform): Promise<void> {
  const made: DeviceId[] = [];
  for (const id of ids) {
    if (await ensureFactoryIdentity(id, factoryDirectory(stateDirectory, id), platform)) made.push(id);
  }
  // Known ones too where an operator is at hand: a platform that was reset has forgotten them.
  if (platform.operatorTokenFile) await registerVehicles(ids, platform, console.error);
  else if (made.length > 0)
    throw new Error('new vehicles need an operator to register them: endpoints.json names none');
}

async function vehicle(
  id: DeviceId,
  stateDirectory: string,
  platform: Platform,
  options: SimulateOptions,
  tracer: VehicleOptions['tracer'],
): Promise<VehicleOptions> {
  return {
    stateDirectory: join(stateDirectory, id),
    factoryDirectory: factoryDirectory(stateDirectory, id),
    platform,
    drive: await loadDrive(options.drive && resolve(options.drive), id),
    sink: outputSink(options.json),
    tracer,
    ...(await vehicleOptions(options)),
  };
}

async function deviceIds({ devices, vehicles, prefix }: SimulateOptions): Promise<DeviceId[]> {
  if (devices === undefined)
    return Array.from({ length: vehicles }, (_, index) => DeviceId.parse(`${prefix}${index + 1}`));
  const lines = (await readFile(resolve(devices), 'utf8')).split(/\r?\n/).map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => DeviceId.parse(line));
}

function factoryDirectory(stateDirectory: string, id: DeviceId): string {
  return join(stateDirectory, id, 'factory');
}

function reportFailure(state: string, error: unknown): void {
  process.exitCode = 1;
  console.error(`${state}: ${error instanceof Error ? error.message : String(error)}`);
}
