/** A service's own configuration in the local default, with the paths of its secrets: what someone has who took the service over. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { HOME, type Service } from './endpoints.js';

const Config = z.object({
  identity: z.object({ certificateFile: z.string(), keyFile: z.string() }),
  trust: z.object({ controlCaFile: z.string(), fleetRootFile: z.string() }),
  nats: z.object({ url: z.string(), user: z.string(), passwordFile: z.string() }),
  database: z.object({ host: z.string(), port: z.number(), name: z.string(), passwordFile: z.string() }),
  tokenIssuer: z.string(),
  signingKeys: z.object({ encryptionKeyFile: z.string() }).optional(),
});
export type ServiceConfig = z.infer<typeof Config>;

export function configFileOf(service: Service): string {
  return join(HOME, 'config', `${service}.json`);
}

export function configOf(service: Service): ServiceConfig {
  return Config.parse(JSON.parse(readFileSync(configFileOf(service), 'utf8')));
}

export function secretIn(file: string): string {
  return readFileSync(file, 'utf8').trim();
}
