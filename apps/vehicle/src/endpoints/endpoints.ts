/** The part of `endpoints.json` that a vehicle and the fleet simulator need. */
import { z } from 'zod';

const Origin = z.url({ protocol: /^https$/ }).transform((url) => url.replace(/\/+$/, ''));
const VehicleListener = z.object({ vehicle: Origin });

/** Files are paths relative to the folder that holds `.outrider`, or absolute; URLs are whole. Other members are others' business. */
export const EndpointsFile = z.object({
  trust: z.object({ server: z.string(), fleetRoot: z.string() }),
  factory: z.object({ ca: z.string(), key: z.string() }).optional(),
  services: z.object({
    provisioning: VehicleListener.extend({ operator: Origin.optional() }),
    token: VehicleListener,
    telemetry: VehicleListener,
    command: VehicleListener,
  }),
  operator: z.object({ tokenFile: z.string() }).optional(),
});
export type EndpointsFile = z.infer<typeof EndpointsFile>;

/** Where a vehicle finds the platform. */
export interface PlatformOrigins {
  readonly provisioning: string;
  readonly token: string;
  readonly telemetry: string;
  readonly command: string;
}

export function platformOrigins(file: EndpointsFile): PlatformOrigins {
  const { provisioning, token, telemetry, command } = file.services;
  return {
    provisioning: provisioning.vehicle,
    token: token.vehicle,
    telemetry: telemetry.vehicle,
    command: command.vehicle,
  };
}
