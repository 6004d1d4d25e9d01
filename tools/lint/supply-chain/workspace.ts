/** Reads what the rules are about. */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { PROJECT } from '../../local/settings.ts';
import type { Installed, Licensed, Manifest, SupplyChain } from './rules.ts';

const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall'];

export function readSupplyChain(): SupplyChain {
  const workspace = parse(text('pnpm-workspace.yaml'));
  return {
    workspace,
    lockfile: parse(text('pnpm-lock.yaml')),
    manifests: ['.', ...globSync(workspace.packages, { cwd: PROJECT })].flatMap(manifest),
    installed: installed(),
    production: production(),
    dockerfile: text('deploy/Dockerfile'),
    composeImages: [...text('docker-compose.yml').matchAll(/^\s*image: (\S+)/gm)].map(([, image = '']) => image),
  };
}

function manifest(folder: string): Manifest[] {
  const path = join(folder, 'package.json');
  if (!existsSync(join(PROJECT, path))) return [];
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(text(path));
  return [{ folder, dependencies: { ...dependencies, ...devDependencies, ...optionalDependencies } }];
}

/** By each package's own manifest, whatever the lockfile says of it. */
function installed(): Installed[] {
  const store = join(PROJECT, 'node_modules', '.pnpm');
  const found = readdirSync(store).flatMap((entry) => {
    const modules = join(store, entry, 'node_modules');
    const name = nameOf(entry);
    const path = join(modules, name, 'package.json');
    return existsSync(path) ? [path] : [];
  });
  return found.map((path) => {
    const { name, scripts = {} } = JSON.parse(readFileSync(path, 'utf8'));
    const wantsBuild =
      INSTALL_SCRIPTS.some((script) => script in scripts) || existsSync(join(dirname(path), 'binding.gyp'));
    return { name, wantsBuild };
  });
}

/** `@scope+name@1.0.0_peer@1.0.0` is `@scope/name`. */
function nameOf(entry: string): string {
  return entry.slice(0, entry.indexOf('@', 1)).replace('+', '/');
}

function production(): Licensed[] {
  const listed = execFileSync('pnpm', ['--recursive', 'licenses', 'list', '--prod', '--json'], {
    cwd: PROJECT,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  return Object.entries(JSON.parse(listed) as Record<string, { name: string }[]>).flatMap(([license, packages]) =>
    packages.map(({ name }) => ({ name, license })),
  );
}

function text(path: string): string {
  return readFileSync(join(PROJECT, path), 'utf8');
}
