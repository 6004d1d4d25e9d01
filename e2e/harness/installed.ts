/** Which clients this machine has. A test whose client is missing is skipped, and its name says for want of what. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { it } from '@jest/globals';
import { PROJECT } from './project.js';

/** Debian's Python first: another one on the PATH has its own packages. */
export const PYTHON = ['/usr/bin/python3', 'python3'].find((python) => works(python, ['-c', 'import nacl.signing']));

const CLIENTS = {
  chromium: works('chromium', ['--version']),
  curl: works('curl', ['--version']),
  openssl: works('openssl', ['version']),
  // Debian keeps servers where a user's PATH does not lead.
  'nats-server': ['nats-server', '/usr/sbin/nats-server'].some((program) => works(program, ['--version'])),
  certtool: works('certtool', ['--version']),
  ocsptool: works('ocsptool', ['--version']),
  'python3-nacl': PYTHON !== undefined,
  promtool: works('promtool', ['--version']),
  sslscan: works('sslscan', ['--version']),
  'strongswan-pki': printed('pki', ['--help']).includes('--est'),
} as const;
export type Client = keyof typeof CLIENTS;

export function areInstalled(clients: readonly Client[]): boolean {
  return clients.every((client) => CLIENTS[client]);
}

/** `it` where all of these clients are here. */
export function itWith(
  clients: readonly Client[],
): (name: string, test: () => Promise<void>, timeoutMs?: number) => void {
  const missing = clients.filter((client) => !CLIENTS[client]);
  if (missing.length === 0) return it;
  return (name, test) => it.skip(`${name} (skipped: ${missing.join(', ')} not installed)`, test);
}

/** Recorded drives beside the project, absolute; none where the folder is absent. */
export function recordedDrives(): string[] {
  const folder = join(PROJECT, '..', 'shared', 'drives');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.csv'))
    .sort()
    .map((name) => join(folder, name));
}

function works(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

function printed(program: string, args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  return `${stdout ?? ''}${stderr ?? ''}`;
}
