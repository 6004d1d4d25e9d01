/**
 * For containers (docker-compose.yml), where other hands run the servers and the services:
 * `prepare.ts files` makes the fleet, the secrets and every configuration, and hands each container its part below OUTRIDER_HAND_OUT;
 * `prepare.ts servers` then makes roles, schemas and
 * streams on the PostgreSQL of OUTRIDER_PG_URL (without a password: ours is used) and on NATS, runs the migrations, and makes the service account.
 */
import { join } from 'node:path';
import { handOut } from '../deploy/compose/hand-out.ts';
import { writeConfigs } from '../local/configs.ts';
import { prepareDatabase } from '../local/database.ts';
import { writeEndpoints } from '../local/endpoints.ts';
import { Failure, runCommand } from '../local/failure.ts';
import { secret } from '../local/files.ts';
import { makeFleet } from '../local/fleet.ts';
import { migrateAll } from '../local/migrations.ts';
import { waitForNats, writeNatsConfig } from '../local/nats.ts';
import { makeServiceAccounts } from '../local/operator-token.ts';
import { portsOf } from '../local/ports.ts';
import { SUPERUSER, waitForPostgres } from '../local/postgres.ts';
import { writeNatsAuthorization } from '../local/secrets.ts';
import { makeStreams, natsServer, natsUrl, patience } from '../local/servers.ts';
import { places, readSettings, type Settings } from '../local/settings.ts';
import { takeHome } from '../local/state.ts';

await runCommand(async () => {
  const settings = readSettings();
  const part = process.argv[2];
  if (part === 'files') await prepareFiles(settings);
  else if (part === 'servers') await prepareServers(settings);
  else throw new Failure('Usage: prepare.ts files | servers');
  return 0;
});

function adminUrl(settings: Settings): string {
  const url = new URL(
    settings.postgresUrl ?? `postgres://${SUPERUSER}@127.0.0.1:${portsOf(settings).postgres}/postgres`,
  );
  if (!url.password) url.password = secret(join(places(settings).secrets, `postgres-${SUPERUSER}`));
  return url.href;
}

async function prepareFiles(settings: Settings): Promise<void> {
  takeHome(settings);
  const server = natsServer(settings);
  await writeNatsAuthorization(places(settings).secrets, server.authorizationFile);
  writeNatsConfig(server);
  console.log(`fleet: ${await makeFleet(settings)}`);
  writeConfigs(settings);
  writeEndpoints(settings, adminUrl(settings));
  const folder = process.env.OUTRIDER_HAND_OUT;
  if (folder) handOut(settings, folder);
}

async function prepareServers(settings: Settings): Promise<void> {
  const url = adminUrl(settings);
  const late = patience(60_000);
  await waitForPostgres(url, late);
  await waitForNats(natsUrl(settings), late);
  const own = await prepareDatabase(url, places(settings).secrets);
  await makeStreams(settings);
  console.log(`migrations: ${await migrateAll(settings, own)}`);
  await makeServiceAccounts(settings);
}
