/** Where the running suite is: `endpoints.json`, its files as absolute paths. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { PROJECT } from './project.js';

export { PROJECT };
export const ENDPOINTS_FILE = resolve(PROJECT, process.env.OUTRIDER_E2E_ENDPOINTS ?? '.outrider/endpoints.json');
/** The suite's own folder: logs, the supervisor's state. */
export const HOME = dirname(ENDPOINTS_FILE);

export type Service = 'fleet-ca' | 'provisioning' | 'token' | 'telemetry' | 'command' | 'revocation' | 'gateway';
export const SERVICES: readonly Service[] = [
  'fleet-ca',
  'provisioning',
  'token',
  'telemetry',
  'command',
  'revocation',
  'gateway',
];
/** Those that vehicles speak to. */
export const VEHICLE_SERVICES = ['provisioning', 'token', 'telemetry', 'command'] as const;

const path = z.string().transform((file) => resolve(PROJECT, file));
const Faces = z.object({ vehicle: z.url().optional(), operator: z.url().optional(), http: z.url() });
const Endpoints = z.object({
  trust: z.object({ server: path, fleetRoot: path }),
  factory: z.object({ ca: path, key: path }),
  services: z.record(z.string(), Faces),
  operator: z.object({ tokenFile: path }),
  operators: z.record(z.string(), z.object({ tokenFile: path })),
  database: z.object({
    host: z.string(),
    port: z.number(),
    name: z.string(),
    user: z.string(),
    passwordFile: path.optional(),
    standbyPort: z.number().optional(),
  }),
  edge: z.object({
    authorization: z.url(),
    certificate: path,
    key: path,
    vehicleCas: path,
    ports: z.object({ nginx: z.number(), haproxy: z.number(), api: z.number() }),
    hosts: z.object({ api: z.string(), vehicles: z.string() }),
    api: z.object({ audience: z.string(), scopes: z.array(z.string()) }),
  }),
  nats: z.object({ url: z.string(), user: z.string(), passwordFile: path }),
});

export const endpoints = Endpoints.parse(JSON.parse(readFileSync(ENDPOINTS_FILE, 'utf8')));

/** The base URL of one face of a service. */
export function at(service: Service, face: 'vehicle' | 'operator' | 'http'): string {
  const url = endpoints.services[service]?.[face];
  if (!url) throw new Error(`${service} has no ${face} listener`);
  return url;
}
