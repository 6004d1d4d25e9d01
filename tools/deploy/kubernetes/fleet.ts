/** A fleet for a cluster: what the local default makes for itself, made for the names that a cluster's services have. */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { databaseStatements } from '../../local/database.ts';
import { secret, writeWhole } from '../../local/files.ts';
import { fleetFiles } from '../../local/fleet.ts';
import { runProduct } from '../../local/product.ts';
import { writeNatsAuthorization } from '../../local/secrets.ts';
import { places, type Settings } from '../../local/settings.ts';
import type { Deployment } from './names.ts';

const CEREMONY = 'apps/fleet-ca/dist/ceremony.command.js';
const SCRAM_ITERATIONS = 4096;

/**
 * Makes what is missing below `settings.home`, and renews server certificates that are due. `token` are the ceremony's options for keys in
 * a PKCS#11 token, none for files. Returns which certificates were made.
 */
export async function makeClusterFleet(
  settings: Settings,
  deployment: Deployment,
  token: readonly string[],
): Promise<string[]> {
  const { passphrase, services } = fleetFiles(settings);
  const { fleet, secrets, nats } = places(settings);
  secret(passphrase);
  for (const name of ['dpop-nonce', 'token-key-encryption']) secret(join(secrets, name));
  const ceremony = (verb: string, ...more: string[]) =>
    runProduct(CEREMONY, [
      ...[verb, '--out', fleet, '--trust-domain', deployment.trustDomain, '--passphrase-file', passphrase],
      ...token,
      ...more,
    ]);
  await ceremony('create');
  const issue = async (name: string, hosts: readonly string[]) => {
    const dns = hosts.flatMap((host) => ['--dns', host]);
    const answer = await ceremony('issue-server', '--to', services, '--service', name, ...dns);
    return (JSON.parse(answer) as { made: string[] }).made;
  };
  const made = [await issue('ocsp-signer', [])];
  for (const { name, hosts } of deployment.services) made.push(await issue(name, hosts));
  made.push(await issue('nats', deployment.natsHosts));
  mkdirSync(nats, { recursive: true, mode: 0o700 });
  await writeNatsAuthorization(secrets, join(nats, 'authorization.conf'), [
    ...deployment.streams.teams.map((name) => `team-${name}`),
    ...deployment.streams.siems.map((name) => `siem-${name}`),
  ]);
  writeDatabaseScript(settings, deployment.database);
  return made.flat();
}

/** Roles and schemas for whoever runs PostgreSQL, with verifiers in place of passwords. */
export function databaseScript(settings: Settings): string {
  return join(settings.home, 'database.sql');
}

function writeDatabaseScript(settings: Settings, database: string): void {
  const { secrets } = places(settings);
  const statements = databaseStatements(database, secrets, (password) =>
    scramVerifier(password, saltOf(settings, password)),
  );
  writeWhole(databaseScript(settings), `${statements.join(';\n')};\n`);
}

/** The same salt for the same password, so that a second run writes the same file; it tells nothing without the key that stays at home. */
function saltOf({ home }: Settings, password: string): Buffer {
  const key = secret(join(home, 'secrets', 'database-salts'));
  return createHmac('sha256', key).update(password).digest().subarray(0, 16);
}

/** RFC 5803, as PostgreSQL keeps it: who reads it can check a password and never learn one. */
export function scramVerifier(password: string, salt: Uint8Array = randomBytes(16)): string {
  const salted = pbkdf2Sync(password, salt, SCRAM_ITERATIONS, 32, 'sha256');
  const keyed = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(keyed('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${SCRAM_ITERATIONS}:${Buffer.from(salt).toString('base64')}$${storedKey}:${keyed('Server Key').toString('base64')}`;
}

/** The text of a secret file, without its last newline. */
export function textOf(file: string): string {
  return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
}
