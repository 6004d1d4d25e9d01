/** The demo fleet: three vehicles in one process, driven by the simulator. */
import { join } from 'node:path';
import type { ChildSpec } from './child.ts';
import { built, productEnv } from './product.ts';
import { places, type Settings } from './settings.ts';

export function vehiclesChild(settings: Settings): ChildSpec {
  const { endpoints, vehicles, logs } = places(settings);
  return {
    name: 'vehicles',
    program: process.execPath,
    args: [
      '--max-old-space-size=128',
      '--max-semi-space-size=8',
      built('apps/vehicle/dist/main.js'),
      'simulate',
      '--endpoints',
      endpoints,
      '--state',
      vehicles,
      '--vehicles',
      '3',
      ...(settings.traceEndpoint ? ['--trace-endpoint', settings.traceEndpoint] : []),
    ],
    cwd: settings.project,
    env: productEnv(),
    logFile: join(logs, 'vehicles.log'),
    stopSignal: 'SIGTERM',
    graceMs: 10_000,
  };
}
