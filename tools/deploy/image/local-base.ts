/** A base image made here, where no container registry is reached: Debian by debootstrap, Node as the project pins it. Made once, kept in the store. */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onPath } from '../../local/nats-binary.ts';
import { run, show, works } from '../containers/engine.ts';

const SUITE = 'bookworm';
const MIRROR = 'http://deb.debian.org/debian';
/** What Node is linked with; certificates for the registry. */
const PACKAGES = 'ca-certificates,libstdc++6';
/** Nothing of these is asked for at run time. */
const LEFT_OUT = [
  'var/cache/apt/archives',
  'var/lib/apt/lists',
  'usr/share/doc',
  'usr/share/man',
  'usr/share/locale',
  'usr/share/info',
];

export interface LocalBase {
  /** For the Dockerfile's BASE: Node, and the rest of a small Debian. */
  readonly base: string;
  /** For its BUILD: npm too, and whom this machine trusts. */
  readonly build: string;
}

/** `node`: the program to put into it. */
export async function localBase(env: NodeJS.ProcessEnv, node: string): Promise<LocalBase> {
  const version = run(env, node, '--version').trim();
  const base = `localhost/outrider-base:${SUITE}-node${version}`;
  const build = `localhost/outrider-build:${SUITE}-node${version}`;
  if (!works(env, 'buildah', 'inspect', '--type', 'image', base))
    await inFolder((folder) => makeBase(env, node, base, folder));
  if (!works(env, 'buildah', 'inspect', '--type', 'image', build))
    await inFolder((folder) => makeBuild(env, base, build, folder));
  return { base, build };
}

async function makeBase(env: NodeJS.ProcessEnv, node: string, name: string, folder: string): Promise<void> {
  const root = join(folder, 'root');
  await show(env, 'debootstrap', '--variant=minbase', `--include=${PACKAGES}`, SUITE, root, MIRROR);
  for (const path of LEFT_OUT) {
    rmSync(join(root, path), { recursive: true, force: true });
    mkdirSync(join(root, path), { recursive: true });
  }
  mkdirSync(join(root, 'usr/local/bin'), { recursive: true });
  copyFileSync(node, join(root, 'usr/local/bin/node'));
  const archive = join(folder, 'root.tar');
  run(env, 'tar', '-C', root, '-cf', archive, '.');
  run(
    env,
    'podman',
    'import',
    '--change',
    'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    archive,
    name,
  );
}

async function makeBuild(env: NodeJS.ProcessEnv, base: string, name: string, folder: string): Promise<void> {
  cpSync(npmFolder(), join(folder, 'lib/node_modules/npm'), { recursive: true });
  mkdirSync(join(folder, 'bin'));
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(folder, 'bin/npm'));
  const trust = env.NODE_EXTRA_CA_CERTS;
  if (trust && existsSync(trust)) copyFileSync(realpathSync(trust), join(folder, 'trust.pem'));
  const text = [
    `FROM ${base}`,
    'COPY lib /usr/local/lib',
    'COPY bin /usr/local/bin',
    ...(trust
      ? ['COPY trust.pem /usr/local/share/trust.pem', 'ENV NODE_EXTRA_CA_CERTS=/usr/local/share/trust.pem']
      : []),
    '',
  ];
  writeFileSync(join(folder, 'Dockerfile'), text.join('\n'));
  run(env, 'buildah', 'bud', '--isolation', 'chroot', '-t', name, folder);
}

/** npm is JavaScript alone: this machine's will do. */
function npmFolder(): string {
  const npm = onPath('npm');
  if (!npm) throw new Error('npm is not on the path');
  return dirname(dirname(realpathSync(npm)));
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'outrider-base-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
