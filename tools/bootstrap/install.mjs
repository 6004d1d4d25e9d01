/** Brings in what the lockfiles name, when it is not there: the pinned Node and pnpm, then the workspace's packages. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StageFailure, stage } from './progress.mjs';

/** The pinned Node and pnpm: plain binaries out of npm packages, so that blocked install scripts do not matter. */
export async function installRuntime(root) {
  const folder = join(root, 'tools', 'bootstrap');
  const platform = `${process.platform}-${process.arch}`;
  const runtime = {
    node: join(folder, 'node_modules', `node-${platform}`, 'bin', 'node'),
    pnpm: join(folder, 'node_modules', '@pnpm', `exe.${platform}`, 'pnpm'),
  };
  const print = digest([join(folder, 'package-lock.json')], platform);
  const stamp = join(folder, 'node_modules', '.outrider-installed');
  if (read(stamp) === print && existsSync(runtime.node) && existsSync(runtime.pnpm)) return runtime;
  await stage('Fetching Node 24 and pnpm', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: folder,
  });
  if (!existsSync(runtime.node) || !existsSync(runtime.pnpm)) {
    throw new StageFailure(`Outrider runs on Linux (x64 or arm64, glibc); there is no pinned Node for ${platform}.`);
  }
  writeFileSync(stamp, print);
  return runtime;
}

/** The workspace's packages, exactly as locked. */
export async function installPackages(root, runtime) {
  const print = digest(
    ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json'].map((name) => join(root, name)),
    process.arch,
  );
  const stamp = join(root, 'node_modules', '.outrider-installed');
  if (read(stamp) === print) return;
  await stage(
    'Installing packages',
    runtime.pnpm,
    ['install', '--frozen-lockfile', '--config.confirm-modules-purge=false'],
    {
      cwd: root,
      env: { ...process.env, CI: 'true', PATH: searchPath(runtime) },
    },
  );
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, print);
}

/** A PATH on which the pinned Node and pnpm come first. */
export function searchPath({ node, pnpm }) {
  return [dirname(node), dirname(pnpm), process.env.PATH ?? ''].join(':');
}

function digest(files, salt) {
  const hash = createHash('sha256').update(salt);
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex');
}

function read(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}
