/** Lays out what one service's image holds below /outrider: the same bytes, names, modes and times from the same sources, wherever it is packed. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { type Closure, closureOf, type Package } from './closure.ts';
import { ownRuns, runs } from './kept-files.ts';
import { type BasePackage, softwareBill } from './software-bill.ts';

export interface Packing {
  readonly project: string;
  readonly service: string;
  /** Made anew. */
  readonly out: string;
  /** What lies below the application, if it is known. */
  readonly base: readonly BasePackage[];
  /** Every file's time, seconds. */
  readonly epochSeconds: number;
}

/** Beside the app's own folder: what it reads at run time from elsewhere in the project. */
const DATA: Readonly<Record<string, readonly string[]>> = { gateway: ['policies'] };
/** Files that the build made, beside the app's own folder too. */
const MADE: Readonly<Record<string, readonly string[]>> = { gateway: ['libs/operator-api/dist/openapi.json'] };

/** Returns what was packed. */
export function pack({ project, service, out, base, epochSeconds }: Packing): Closure {
  const closure = closureOf(project, service);
  rmSync(out, { recursive: true, force: true });
  copyPackage(closure.service, out);
  const modules = join(out, 'node_modules');
  const home = (one: Package) => join(modules, '.pnpm', one.key, 'node_modules');
  link(closure, closure.service, modules, home);
  for (const one of closure.packages.values()) {
    copyPackage(one, join(home(one), one.name));
    link(closure, one, home(one), home);
  }
  for (const folder of DATA[service] ?? []) copyFiles(join(project, folder), join(out, folder), () => true);
  for (const file of MADE[service] ?? []) copyFileSync(join(project, file), join(out, basename(file)));
  copyFileSync(join(project, 'deploy', 'image', 'healthcheck.mjs'), join(out, 'healthcheck.mjs'));
  writeFileSync(join(out, 'sbom.cdx.json'), softwareBill(closure, base, integrities(project)));
  settle(out, epochSeconds);
  return closure;
}

function copyPackage({ name, folder, own, manifest }: Package, to: string): void {
  const platform = `${process.platform}-${process.arch}`;
  copyFiles(folder, to, (path) => (own ? ownRuns(path) : runs(name, path, platform)));
  if (!own) return;
  // Scripts and development dependencies are of no use to whoever reads it there.
  const { scripts, devDependencies, ...rest } = manifest as Package['manifest'] & Record<string, unknown>;
  writeFileSync(join(to, 'package.json'), `${JSON.stringify(rest, null, 2)}\n`);
}

function copyFiles(from: string, to: string, kept: (path: string) => boolean): void {
  for (const path of walk(from)) {
    if (!kept(path)) continue;
    const target = join(to, path);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(from, path), target);
  }
}

function link(closure: Closure, one: Package, modules: string, home: (one: Package) => string): void {
  for (const [name, key] of one.needs) {
    const target = closure.packages.get(key);
    if (!target) throw new Error(`${one.name} needs ${name}, which was not packed`);
    const file = join(modules, name);
    // A package of the workspace may be needed under its own name by itself.
    if (existsSync(file)) continue;
    mkdirSync(dirname(file), { recursive: true });
    symlinkSync(relative(dirname(file), join(home(target), target.name)), file);
  }
}

/** Files below `folder`, sorted; links are left out, as pnpm's are between packages alone. */
function walk(folder: string, below = ''): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = below + entry.name;
    if (entry.isFile()) return [path];
    if (!entry.isDirectory() || path === 'node_modules/.bin') return [];
    return walk(join(folder, entry.name), `${path}/`);
  });
}

/** What the registry said of each tarball, by `name@version`. */
function integrities(project: string): ReadonlyMap<string, string> {
  const text = readFileSync(join(project, 'pnpm-lock.yaml'), 'utf8');
  const entries = text.matchAll(
    /^ {2}'?((?:@[^/\s]+\/)?[^@\s']+@[^\s'(:]+)'?:\n {4}resolution: \{integrity: ([^,}\s]+)/gm,
  );
  return new Map([...entries].map(([, id, integrity]) => [id as string, integrity as string]));
}

/** Modes that say nothing of who packed, one time for everything; deepest first, or a folder's time would change again. */
function settle(folder: string, epochSeconds: number): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) settle(path, epochSeconds);
    else {
      if (entry.isFile()) chmodSync(path, statSync(path).mode & 0o100 && path.endsWith('.node') ? 0o755 : 0o644);
      lutimesSync(path, epochSeconds, epochSeconds);
    }
  }
  chmodSync(folder, 0o755);
  lutimesSync(folder, epochSeconds, epochSeconds);
}
