/** The ground that the agent's specs share: a platform of its own for each test, a home with a factory identity, and what the vehicle reports. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { issueFactoryDevice, type TestFleet } from '@outrider/testing';
import { simulatedDrive } from '../drive/simulated.js';
import type { ReportedEvent } from '../report/vehicle-event.js';
import { TestPlatform } from './platform.fixture.js';
import { Vehicle, type VehicleOptions } from './vehicle.service.js';

const UNTIL_MS = 20_000;

export class VehicleGround {
  readonly events: ReportedEvent[] = [];

  private constructor(
    readonly fleet: TestFleet,
    readonly platform: TestPlatform,
    readonly home: string,
  ) {}

  /** @param fleet one for many tests: making it takes longer than most of them. */
  static async start(fleet: TestFleet): Promise<VehicleGround> {
    const home = mkdtempSync(join(tmpdir(), 'outrider-vehicle-'));
    const factory = await issueFactoryDevice(fleet, 'device-1');
    writeFileSync(join(home, 'factory.crt'), factory.certificatePem);
    writeFileSync(join(home, 'factory.key'), factory.privateKeyPem);
    writeFileSync(join(home, 'chain.pem'), fleet.factoryCa.certificatePem);
    const platform = new TestPlatform(fleet);
    await platform.start();
    return new VehicleGround(fleet, platform, home);
  }

  async stop(): Promise<void> {
    await this.platform.stop();
    rmSync(this.home, { recursive: true });
  }

  options(given: Partial<VehicleOptions> = {}): VehicleOptions {
    const { platform, fleet, home } = this;
    const { origin } = platform;
    return {
      stateDirectory: join(home, 'state'),
      factoryDirectory: home,
      platform: {
        origins: { provisioning: origin, token: origin, telemetry: origin, command: origin },
        serverTrust: fleet.root.certificatePem + fleet.infrastructureCa.certificatePem,
        fleetRoot: fleet.root.certificatePem,
      },
      drive: simulatedDrive('device-1'),
      sink: (event) => this.events.push(event),
      intervalMs: 5,
      ...given,
    };
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + UNTIL_MS;
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`${what} did not happen: ${this.names()}`);
      await sleep(5);
    }
  }

  /** Runs a vehicle until `condition`, then stops it. */
  async drive(given: Partial<VehicleOptions>, condition: () => boolean, what: string): Promise<void> {
    const vehicle = await Vehicle.open(this.options(given));
    const running = vehicle.run();
    try {
      await this.until(condition, what);
    } finally {
      vehicle.stop();
      await running;
    }
  }

  names(): string[] {
    return this.events.map(({ event }) => event);
  }

  count(name: string): number {
    return this.names().filter((event) => event === name).length;
  }
}
