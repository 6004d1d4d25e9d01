/** Builds the images of services with buildah, from what is compiled here or from the sources alone, and says what came out. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { both, run, works } from '../containers/engine.ts';
import { pack } from './pack.ts';
import type { BasePackage } from './software-bill.ts';

export interface Build {
  readonly env: NodeJS.ProcessEnv;
  readonly project: string;
  readonly services: readonly string[];
  /** e.g. `localhost/outrider`: an image is `<prefix>/<service>:<tag>`. */
  readonly prefix: string;
  readonly tag: string;
  readonly revision: string;
  /** What Node is taken from. */
  readonly base: string;
  /** Compiles in the image BUILD, as a `docker build` does; without it, what is compiled here is packed, by the same code to the same bytes. */
  readonly fromSource?: { readonly build: string };
  /** Nothing of earlier builds is used. */
  readonly fresh?: boolean;
}

export interface Image {
  readonly service: string;
  readonly name: string;
  /** Of all its layers, uncompressed. */
  readonly bytes: number;
  /** Digests of the uncompressed layers: Node and its libraries, then the application. */
  readonly layers: readonly string[];
}

/** Every file's time, the images' own too: what differs between two builds is what was built. */
const EPOCH_SECONDS = 0;

export function buildImages(build: Build): Image[] {
  const folder = mkdtempSync(join(tmpdir(), 'outrider-images-'));
  try {
    const list = build.fromSource ? [] : baseList(build);
    return build.services.map((service) => buildImage(build, service, folder, list));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function buildImage(build: Build, service: string, folder: string, base: readonly BasePackage[]): Image {
  const { env, project, prefix, tag, revision, fromSource } = build;
  const name = `${prefix}/${service}:${tag}`;
  const application = join(folder, service);
  const before = idOf(env, name);
  // A stage of the Dockerfile, which then need not be run.
  if (!fromSource) pack({ project, service, out: join(application, 'application'), base, epochSeconds: EPOCH_SECONDS });
  bud(build, [
    ...['--target', 'service', '--build-arg', `SERVICE=${service}`, '--build-arg', `REVISION=${revision}`],
    ...(fromSource ? ['--build-arg', `BUILD=${fromSource.build}`] : ['--build-context', `application=${application}`]),
    ...['--tag', name],
  ]);
  // One that lost its name to this one would stay for ever.
  if (before && before !== idOf(env, name)) works(env, 'podman', 'rmi', before);
  const [about] = JSON.parse(run(env, 'podman', 'image', 'inspect', name)) as [
    { Size: number; RootFS: { Layers: string[] } },
  ];
  return { service, name, bytes: about.Size, layers: about.RootFS.Layers };
}

/** Nothing where there is no such image. */
function idOf(env: NodeJS.ProcessEnv, name: string): string {
  const [line = ''] = both(env, 'podman', 'images', '--quiet', '--no-trunc', name).split('\n');
  return line.startsWith('sha256:') ? line.slice('sha256:'.length) : '';
}

/** What the base's Node is linked with, said by the base itself. */
function baseList(build: Build): BasePackage[] {
  const name = `${build.prefix}/base:${build.tag}`;
  bud(build, ['--target', 'base', '--tag', name]);
  const folder = run(build.env, 'podman', 'image', 'mount', name).trim();
  try {
    return JSON.parse(readFileSync(join(folder, 'runtime-list.json'), 'utf8')) as BasePackage[];
  } finally {
    run(build.env, 'podman', 'image', 'unmount', name);
  }
}

function bud({ env, project, base, fresh }: Build, more: readonly string[]): void {
  run(
    env,
    ...(['buildah', 'bud', '--isolation', 'chroot', '--format', 'docker'] as const),
    '--layers',
    ...(fresh ? ['--no-cache'] : []),
    ...['--timestamp', String(EPOCH_SECONDS), '--build-arg', `BASE=${base}`],
    ...more,
    ...['--file', join(project, 'deploy', 'Dockerfile'), project],
  );
}
