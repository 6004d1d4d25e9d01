/** Device identity: the registry's name for a vehicle and its SPIFFE form. A VIN is an attribute, never the identity. */
import { z } from 'zod';

/** `[a-z0-9][a-z0-9-]{2,62}`, e.g. `device-12345`. */
export const DeviceId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{2,62}$/)
  .brand('DeviceId');
export type DeviceId = z.infer<typeof DeviceId>;

/** A SPIFFE trust domain: a lower-case DNS-like name (SPIFFE-ID §2.1). */
export const TrustDomain = z
  .string()
  .max(255)
  .regex(/^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/)
  .brand('TrustDomain');
export type TrustDomain = z.infer<typeof TrustDomain>;

/** `spiffe://<trust domain>/vehicle/<device id>`: the SAN URI of a fleet certificate. */
export function deviceSpiffeId(trustDomain: TrustDomain, deviceId: DeviceId): string {
  return `spiffe://${trustDomain}/vehicle/${deviceId}`;
}

/** `spiffe://<trust domain>/service/<service>`: the SAN URI of a service certificate. */
export function serviceSpiffeId(trustDomain: TrustDomain, service: string): string {
  return `spiffe://${trustDomain}/service/${service}`;
}

/** The device named by a SAN URI of exactly our trust domain and form; undefined for anything else. */
export function parseVehicleSpiffeId(uri: string, trustDomain: TrustDomain): DeviceId | undefined {
  const prefix = `spiffe://${trustDomain}/vehicle/`;
  if (!uri.startsWith(prefix)) return undefined;
  return DeviceId.safeParse(uri.slice(prefix.length)).data;
}
