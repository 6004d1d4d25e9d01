/** What one service needs to run, as installed from the lockfile: its own package, the workspace's libraries, and theirs; no development dependency. */
import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface Package {
  /** Where it lies in the image's `node_modules/.pnpm`; unique, and the same wherever it was packed. */
  readonly key: string;
  readonly name: string;
  /** Where it lies here. */
  readonly folder: string;
  readonly manifest: Manifest;
  /** One of the workspace's own, not of the registry. */
  readonly own: boolean;
  /** Keys of what it depends on, by the name it imports them by. */
  readonly needs: ReadonlyMap<string, string>;
}

export interface Closure {
  readonly service: Package;
  /** Everything the service reaches, by key, sorted. */
  readonly packages: ReadonlyMap<string, Package>;
}

/** Throws when a dependency that is not optional is not installed. */
export function closureOf(project: string, service: string): Closure {
  const found = new Map<string, Package>();
  const add = (folder: string): string => {
    const key = keyOf(project, folder);
    if (found.has(key)) return key;
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
    const needs = new Map<string, string>();
    const own = isOwn(project, folder);
    found.set(key, { key, name: manifest.name, folder, manifest, own, needs });
    const links = own ? declared(folder, manifest) : siblings(folder, manifest.name);
    // Types are for the compiler.
    for (const [name, target] of links) if (!name.startsWith('@types/')) needs.set(name, add(target));
    return key;
  };
  const app = add(join(project, 'apps', service));
  const packages = new Map([...found].filter(([key]) => key !== app).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { service: found.get(app) as Package, packages };
}

/** A workspace package's own list is the truth: its folder holds development dependencies too. */
function declared(folder: string, { dependencies, optionalDependencies }: Manifest): [string, string][] {
  const optional = new Set(Object.keys(optionalDependencies ?? {}));
  const names = [...Object.keys(dependencies ?? {}), ...optional].sort();
  return names.flatMap((name): [string, string][] => {
    const link = join(folder, 'node_modules', name);
    if (existsSync(link)) return [[name, realpathSync(link)]];
    if (optional.has(name)) return [];
    throw new Error(`${name}, which ${folder} depends on, is not installed`);
  });
}

/** pnpm lays what a registry's package may import beside it: dependencies, and peers as resolved for it. */
function siblings(folder: string, name: string): [string, string][] {
  const home = join(folder, ...name.split('/').map(() => '..'));
  const names = readdirSync(home).flatMap((entry) =>
    entry.startsWith('@') ? readdirSync(join(home, entry)).map((part) => `${entry}/${part}`) : [entry],
  );
  return names
    .filter(
      (other) => other !== '.bin' && lstatSync(join(home, other)).isSymbolicLink() && existsSync(join(home, other)),
    )
    .sort()
    .map((other) => [other, realpathSync(join(home, other))]);
}

function isOwn(project: string, folder: string): boolean {
  return !relative(project, folder).split(sep).includes('node_modules');
}

function keyOf(project: string, folder: string): string {
  const path = relative(project, folder).split(sep);
  const store = path.indexOf('.pnpm');
  // The rest of a long name is a hash of the peers: the same for the same lockfile.
  return store >= 0 ? (path[store + 1] as string) : `@outrider+${basename(dirname(folder))}-${basename(folder)}`;
}
