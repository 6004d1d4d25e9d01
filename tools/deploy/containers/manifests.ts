/** The manifests of a suite for podman: the chart's own, rendered with the suite's configuration, in a file a service so that they can start side by side. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { portsOf } from '../../local/ports.ts';
import { PROJECT, type Settings } from '../../local/settings.ts';
import { run } from './engine.ts';

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
}

export interface Manifests {
  /** One a service: its Deployment, and everything that it mounts. */
  readonly files: readonly string[];
  /** What the engine keeps by these names until told otherwise: it makes a volume of everything that is mounted. */
  readonly volumes: readonly string[];
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
  const mounted = all.flatMap((one) =>
    one.kind === 'Secret' ? [asConfigMap(one)] : one.kind === 'ConfigMap' ? [one] : [],
  );
  const files = all
    .filter(({ kind }) => kind === 'Deployment')
    .map((deployment) => {
      forPodman(deployment);
      const file = join(folder, `${deployment.metadata.name}.yaml`);
      write(file, [...mounted.filter((one) => mounts(deployment, one)), deployment]);
      return file;
    });
  return { files, volumes: mounted.map(({ metadata }) => metadata.name) };
}

function documents(text: string): Manifest[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest)
    .filter(Boolean);
}

interface Volume {
  name: string;
  secret?: { secretName: string };
  configMap?: { name: string };
}

interface Played extends Manifest {
  readonly spec: {
    readonly template: {
      readonly spec: { readonly volumes: Volume[]; readonly containers: { ports?: unknown }[]; restartPolicy?: string };
    };
  };
}

/**
 * podman 4.3 mounts a Secret as it stands in the document, in base64, and into the same volume as a ConfigMap of its name: here each is a
 * ConfigMap of a name of its own, which to a machine's own engine is no less secret.
 */
function asConfigMap({ metadata, data = {} }: Manifest): Manifest {
  const decoded = Object.entries(data).map(([name, text]) => [name, Buffer.from(text, 'base64').toString()]);
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: secretName(metadata.name) },
    data: Object.fromEntries(decoded),
  };
}

function secretName(name: string): string {
  return `${name}-secret`;
}

/** It also refuses the names of ports on the host's network, and starts an init container that has ended again and again, as it does the service. */
function forPodman(deployment: Manifest): void {
  const pod = (deployment as Played).spec.template.spec;
  const { volumes, containers } = pod;
  pod.restartPolicy = 'Never';
  for (const volume of volumes) {
    if (!volume.secret) continue;
    volume.configMap = { name: secretName(volume.secret.secretName) };
    delete volume.secret;
  }
  for (const container of containers) delete container.ports;
}

function mounts(deployment: Manifest, { metadata }: Manifest): boolean {
  return JSON.stringify(deployment).includes(`{"name":"${metadata.name}"`);
}

function write(file: string, some: readonly Manifest[]): void {
  writeFileSync(file, some.map((one) => stringify(one, { lineWidth: 0 })).join('---\n'), { mode: 0o600 });
}
