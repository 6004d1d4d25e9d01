/** Hands each container of docker-compose.yml its files, into a folder that no other container sees. The whole of them, the root's key too, stays with the init jobs. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { writeWhole } from '../../local/files.ts';
import { EDGE, fleetFiles } from '../../local/fleet.ts';
import { SUPERUSER } from '../../local/postgres.ts';
import { SERVICES } from '../../local/services.ts';
import { places, type Settings } from '../../local/settings.ts';
import { type CaManifest, onlineKeyFiles } from '../ca-keys.ts';
import { serviceFiles } from './service-files.ts';

/** Where a container finds what it was handed. */
export const HANDED = '/run/outrider';

/** `folder` holds one folder a container: a volume each. Files that were there are replaced: services follow them. */
export function handOut(settings: Settings, folder: string): void {
  const { config, secrets } = places(settings);
  const { trust, service, manifest } = fleetFiles(settings);
  const authorities = JSON.parse(readFileSync(manifest, 'utf8')) as CaManifest;
  for (const { name } of SERVICES) {
    const own = JSON.parse(readFileSync(join(config, `${name}.json`), 'utf8')) as object;
    const caKeys = onlineKeyFiles(authorities, 'serviceRenewal' in own);
    const files = serviceFiles(own, settings.home, settings.project, HANDED, caKeys);
    for (const { from, to } of files.copies) replace(join(settings.home, from), join(folder, name, to));
    dropOthers(join(folder, name, 'ca', 'keys'), caKeys);
    writeWhole(join(folder, name, 'config.json'), `${JSON.stringify(files.config, null, 2)}\n`);
  }
  const edge = service(EDGE.name);
  replace(edge.certificate, join(folder, 'edge', 'edge.crt'));
  replace(edge.key, join(folder, 'edge', 'edge.key'));
  replace(trust.edgeClients, join(folder, 'edge', 'clients.pem'));
  replace(trust.server, join(folder, 'edge', 'server-trust.pem'));
  // PostgreSQL's user is another; nobody else sees the volume.
  const password = readFileSync(join(secrets, `postgres-${SUPERUSER}`), 'utf8');
  writeWhole(join(folder, 'postgres', 'password'), password, 0o444);
}

/** Key files that an earlier hand-out left: a volume stays. */
function dropOthers(folder: string, keys: readonly string[]): void {
  const kept = keys.map((file) => basename(file));
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    if (!kept.includes(name)) rmSync(join(folder, name), { recursive: true });
  }
}

function replace(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  cpSync(from, to, { recursive: true, force: true });
}
