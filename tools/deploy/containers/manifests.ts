/** The manifests of a suite for podman: the chart's own, rendered with the suite's configuration, in a file a service so that they can start side by side. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { portsOf } from '../../local/ports.ts';
import { PROJECT, type Settings } from '../../local/settings.ts';
import { run } from './engine.ts';

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

export interface Manifests {
  /** One a service: its Deployment, and everything that it mounts. */
  readonly files: readonly string[];
  /** What the engine keeps by these names until told otherwise. */
  readonly secrets: readonly string[];
}

/** What podman plays; a Service, an Ingress and their like are a cluster's. */
const PLAYED = ['ConfigMap', 'Secret', 'Deployment'];

/** `folder` is the suite's own: the files hold its secrets. `prefix` and `tag` name the images. */
export function manifestsOf(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  folder: string,
  image: { registry: string; tag: string },
): Manifests {
  const ports = portsOf(settings);
  const release = ['--release', `outrider-${settings.portOffset}`];
  const command = (name: string) => join(PROJECT, 'tools', 'commands', name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  run(env, process.execPath, command('deploy-secrets.ts'), ...release, '--from', settings.home, '--out', folder);
  const values = [join(PROJECT, 'deploy', 'kubernetes', 'values-podman.yaml'), join(folder, 'values.yaml')];
  const sets = {
    'pod.portOffset': settings.portOffset,
    'image.registry': image.registry,
    'image.tag': image.tag,
    'nats.url': `nats://127.0.0.1:${ports.nats}`,
    'postgres.port': ports.postgres,
    // As in a cluster: an init container before each service.
    'migrations.enabled': true,
  };
  const text = run(
    env,
    ...([process.execPath, command('deploy-render.ts'), ...release] as const),
    ...values.flatMap((file) => ['--values', file]),
    ...Object.entries(sets).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
  );
  const made = readdirSync(join(folder, 'manifests')).map((name) =>
    readFileSync(join(folder, 'manifests', name), 'utf8'),
  );
  const all = [...made, text].flatMap(documents).filter(({ kind }) => PLAYED.includes(kind));
  const shared = all.filter(({ kind }) => kind === 'ConfigMap');
  const secrets = all.filter(({ kind }) => kind === 'Secret');
  // Secrets are the engine's: all are made with the first file's.
  const first = join(folder, 'secrets.yaml');
  write(first, secrets);
  const files = all
    .filter(({ kind }) => kind === 'Deployment')
    .map((deployment) => {
      const file = join(folder, `${deployment.metadata.name}.yaml`);
      write(file, [...shared.filter((one) => mounts(deployment, one)), deployment]);
      return file;
    });
  return { files: [first, ...files], secrets: secrets.map(({ metadata }) => metadata.name) };
}

function documents(text: string): Manifest[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest)
    .filter(Boolean);
}

function mounts(deployment: Manifest, { metadata }: Manifest): boolean {
  return JSON.stringify(deployment).includes(`{"name":"${metadata.name}"`);
}

function write(file: string, some: readonly Manifest[]): void {
  writeFileSync(file, some.map((one) => stringify(one, { lineWidth: 0 })).join('---\n'), { mode: 0o600 });
}
