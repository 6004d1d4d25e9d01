/** Brings every schema to where this build wants it; a configuration that a service refuses stops the start here. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DATABASE } from './database.ts';
import { query } from './postgres.ts';
import { runProduct } from './product.ts';
import { startedServices } from './services.ts';
import { PROJECT, places, type Settings } from './settings.ts';

/** Two at a time: each is a process of its own on a machine that may have two cores. */
const AT_ONCE = 2;

/** Does nothing when this very build has already migrated this very database under these settings. */
export async function migrateAll(settings: Settings, adminUrl: string): Promise<string> {
  const print = fingerprint(settings);
  if (print && (await recorded(adminUrl)) === print) return 'none to run';
  const { config } = places(settings);
  const waiting = startedServices().map(({ name }) => name);
  const worker = async () => {
    for (let name = waiting.shift(); name; name = waiting.shift()) {
      await runProduct(`apps/${name}/dist/main.js`, ['--config', join(config, `${name}.json`), '--migrate']);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (print) await query(adminUrl, `COMMENT ON DATABASE ${DATABASE} IS 'migrated by build ${print}'`);
  return 'done';
}

/** The build that the database itself says it was migrated by: lost with the data, never without it. */
async function recorded(adminUrl: string): Promise<string | undefined> {
  const text = `SELECT shobj_description(oid, 'pg_database') AS text FROM pg_database WHERE datname = '${DATABASE}'`;
  const { rows } = await query(adminUrl, text);
  return /^migrated by build ([0-9a-f]{64})$/.exec(rows[0]?.text ?? '')?.[1];
}

function fingerprint(settings: Settings): string | undefined {
  const built = join(PROJECT, '.nx', 'outrider-built');
  if (!existsSync(built)) return undefined;
  const names = startedServices().map(({ name }) => name);
  const parts = [readFileSync(built, 'utf8'), JSON.stringify(settings), names.join()];
  return createHash('sha256').update(parts.join('\0')).digest('hex');
}
