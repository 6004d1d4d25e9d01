/** Many vehicles in one process, each with its own state, keys, connections and events. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Vehicle, type VehicleOptions } from '../agent/vehicle.service.js';

export class FleetService {
  readonly vehicles: Vehicle[] = [];
  private stopped = false;

  /** Runs until all have ended. One that fails for good is told on standard error by `failed`, and the others go on. */
  async run(
    fleet: readonly VehicleOptions[],
    options: { readonly rampMs: number; readonly failed: (state: string, error: unknown) => void },
  ): Promise<void> {
    const running: Promise<void>[] = [];
    for (const vehicle of fleet) {
      if (this.stopped) break;
      running.push(this.runOne(vehicle).catch((error: unknown) => options.failed(vehicle.stateDirectory, error)));
      await sleep(options.rampMs);
    }
    await Promise.all(running);
  }

  stop(): void {
    this.stopped = true;
    for (const vehicle of this.vehicles) vehicle.stop();
  }

  private async runOne(options: VehicleOptions): Promise<void> {
    const vehicle = await Vehicle.open(options);
    this.vehicles.push(vehicle);
    if (this.stopped) vehicle.stop();
    await vehicle.run();
  }
}
