/** Finds a nats-server to run: on the path, else the distribution's package, else Docker; else says what to type. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Failure } from './failure.ts';

export type NatsBinary = { readonly kind: 'process'; readonly program: string } | { readonly kind: 'docker' };

const OLDEST = [2, 9] as const;

export function findNats(say: (line: string) => void): NatsBinary {
  const found = onPath('nats-server') ?? installed(say);
  if (found) {
    requireVersion(found);
    return { kind: 'process', program: found };
  }
  if (works('docker', ['info'])) {
    say('NATS: no nats-server here; Docker runs one');
    return { kind: 'docker' };
  }
  throw new Failure('Outrider needs nats-server 2.9 or newer. Install it with: sudo apt-get install -y nats-server');
}

/** Debian keeps servers in /usr/sbin, which a user's PATH leaves out. */
export function onPath(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return folders
    .filter(Boolean)
    .map((folder) => join(folder, program))
    .find(isExecutable);
}

function installed(say: (line: string) => void): string | undefined {
  if (process.getuid?.() !== 0 || !onPath('apt-get')) return undefined;
  say('NATS: installing the package nats-server');
  return aptInstall(['nats-server']) ? onPath('nats-server') : undefined;
}

/** Installs Debian packages; false when apt will not. The service unit that a package may start is not ours and not used. */
export function aptInstall(packages: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '-y', '-qq', '--no-install-recommends', ...packages];
  return works('apt-get', install, env) || (works('apt-get', ['update', '-qq'], env) && works('apt-get', install, env));
}

function works(program: string, args: readonly string[], env = process.env): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore', env, timeout: 300_000 });
    return true;
  } catch {
    return false;
  }
}

function requireVersion(program: string): void {
  const text = execFileSync(program, ['--version'], { encoding: 'utf8' });
  const [, major, minor] = /(\d+)\.(\d+)\./.exec(text) ?? [];
  if (Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1])) return;
  throw new Failure(`Outrider needs nats-server 2.9 or newer; ${program} is ${text.trim()}.`);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
