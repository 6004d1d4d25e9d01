/** Builds the workspace through Nx, unless every source is as it was when the last build passed. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { searchPath } from './install.mjs';
import { stage } from './progress.mjs';

const SHARED_INPUTS = ['tsconfig.base.json', 'nx.json', 'pnpm-lock.yaml', 'package.json'];

export async function build(root, runtime) {
  const projects = findProjects(root);
  const stamp = join(root, '.nx', 'outrider-built');
  const print = fingerprint(root, projects);
  const fresh = existsSync(stamp) && readFileSync(stamp, 'utf8') === print;
  if (fresh && projects.every((one) => unbuilt(one).length === 0)) return;
  for (const one of projects) dropOrphans(one);
  // The compiler takes a package without a single source for an error.
  const empty = projects.filter(({ sources }) => !sources.some(isCode)).map(({ folder }) => packageName(folder));
  const exclude = empty.length > 0 ? [`--exclude=${empty.join(',')}`] : [];
  const nx = join(root, 'node_modules', 'nx', 'dist', 'bin', 'nx.js');
  await stage('Building', runtime.node, [nx, 'run-many', '-t', 'build', '--outputStyle=static', ...exclude], {
    cwd: root,
    env: {
      ...process.env,
      PATH: searchPath(runtime),
      NX_DAEMON: 'false',
      NX_NO_CLOUD: 'true',
      NX_TUI: 'false',
    },
    excerpt: failuresOnly,
  });
  writeFileSync(stamp, print);
}

/** Of what Nx printed: the tasks whose compiler complained, or all of it where none did. */
function failuresOnly(output) {
  const blocks = output.split(/^(?=> nx run )/m).filter((block) => /\berror\b.*TS\d+/.test(block));
  return blocks.length > 0 ? blocks.map((block) => block.trim()).join('\n\n') : output;
}

/** Every package: [{ name, folder, root, sources, built }], the last two as paths below `root` and `folder`/dist. */
function findProjects(root) {
  const packages = ['apps', 'libs'].flatMap((group) => list(join(root, group)).map((name) => join(root, group, name)));
  return [
    ...packages.map((folder) => project(folder, join(folder, 'src'))),
    ...['e2e', 'bench'].map((name) => project(join(root, name), join(root, name))),
  ].filter(({ folder }) => existsSync(join(folder, 'tsconfig.json')));
}

function project(folder, root) {
  const aside = folder === root ? /^dist\// : /^$/;
  const sources = walk(root).filter((path) => !aside.test(path));
  return { folder, root, sources, built: walk(join(folder, 'dist')) };
}

/** Paths, sizes and times of every input: content is left to Nx, which has the last word when this differs. */
function fingerprint(root, projects) {
  const hash = createHash('sha256');
  const add = (file) => {
    const info = statSync(file);
    hash.update(`${file}\0${info.size}\0${info.mtimeMs}\n`);
  };
  for (const name of SHARED_INPUTS) add(join(root, name));
  for (const { folder, root: from, sources } of projects) {
    for (const name of ['package.json', 'tsconfig.json']) add(join(folder, name));
    for (const source of sources) add(join(from, source));
  }
  return hash.digest('hex');
}

function unbuilt({ sources, built }) {
  const outputs = new Set(built);
  return sources.filter((source) => isCode(source) && !outputs.has(source.replace(/\.ts$/, '.js')));
}

/** The compiler leaves the output of a deleted source behind, and jest would go on running it. */
function dropOrphans({ folder, sources, built }) {
  const stems = new Set(sources.filter(isCode).map((source) => source.replace(/\.ts$/, '')));
  for (const output of built) {
    const stem = output.replace(/(\.d\.ts|\.js)(\.map)?$/, '');
    if (stem !== output && !stems.has(stem)) rmSync(join(folder, 'dist', output));
  }
}

function isCode(name) {
  return name.endsWith('.ts') && !name.endsWith('.d.ts');
}

function packageName(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).name;
}

function walk(folder, below = '') {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = below + entry.name;
    if (entry.isFile()) return [path];
    return entry.isDirectory() && entry.name !== 'node_modules' ? walk(join(folder, entry.name), `${path}/`) : [];
  });
}

function list(folder) {
  return existsSync(folder) ? readdirSync(folder) : [];
}
