/** The services, in the order that fixes their ports: vehicle 8440 + n, operator 9440 + n, plain HTTP 9100 + n. */
import { z } from 'zod';

export const SERVICES = ['fleet-ca', 'provisioning', 'token', 'telemetry', 'command', 'revocation', 'gateway'] as const;
export const Service = z.enum(SERVICES);
export type Service = z.infer<typeof Service>;

/** The service's n in every port. */
export function serviceNumber(service: Service): number {
  return SERVICES.indexOf(service);
}
