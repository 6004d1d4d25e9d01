/** What `npm run deploy:render` and `deploy:secrets` give, as objects. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { PROJECT } from '../harness/project.js';
import { must, run } from '../harness/run.js';

export const CHART = join(PROJECT, 'deploy', 'helm', 'outrider');
export const EXAMPLES = join(PROJECT, 'deploy', 'kubernetes', 'examples');

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: unknown;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly [probe: `${string}Probe`]: { readonly httpGet: { readonly path: string; readonly port: string } };
}

export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly topologySpreadConstraints?: readonly object[];
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly {
    readonly name: string;
    readonly secret?: { readonly secretName: string };
    readonly configMap?: { readonly name: string };
  }[];
}

/** On a machine with others at work. */
const PATIENCE = { timeoutMs: 280_000 };

/** The ways of installing it that are tried: files of values below deploy/kubernetes. */
export const VARIANTS: Readonly<Record<string, readonly string[]>> = {
  defaults: [],
  'high availability': [join(EXAMPLES, 'values-ha.yaml')],
  'keys in a token': [join(EXAMPLES, 'values-hsm.yaml')],
  'cert-manager': [join(EXAMPLES, 'values-cert-manager.yaml')],
  edges: [join(EXAMPLES, 'values-edge.yaml')],
  podman: [join(PROJECT, 'deploy', 'kubernetes', 'values-podman.yaml')],
};

/** Several of them by one process. */
export async function rendered(variants: readonly string[]): Promise<Map<string, KubernetesObject[]>> {
  const source = join(PROJECT, 'tools', 'deploy', 'kubernetes', 'render.ts');
  const script = `
    import { renderOutrider } from ${JSON.stringify(pathToFileURL(source).href)};
    const release = { name: 'outrider', namespace: 'outrider' };
    const objects = (files) => renderOutrider({ files, sets: [], release }).map(({ object }) => object);
    console.log(JSON.stringify(${JSON.stringify(variants.map((name) => VARIANTS[name]))}.map(objects)));`;
  const { stdout } = await must(process.execPath, ['--input-type=module', '--eval', script], PATIENCE);
  const all = JSON.parse(stdout) as KubernetesObject[][];
  return new Map(variants.map((name, index) => [name, all[index] ?? []]));
}

export function render(files: readonly string[], sets: readonly string[]) {
  const args = [...files.flatMap((file) => ['--values', file]), ...sets.flatMap((set) => ['--set', set])];
  return tool('deploy-render', ...args);
}

/** A command of tools/commands, run as npm runs it. */
export function tool(name: string, ...args: string[]) {
  return run(process.execPath, [join(PROJECT, 'tools', 'commands', `${name}.ts`), ...args], PATIENCE);
}

/** YAML 1.1, as Kubernetes and Helm read it. */
export function objectsOf(text: string): KubernetesObject[] {
  const documents = parseAllDocuments(text, { version: '1.1' });
  return documents.flatMap((document) => {
    if (document.errors[0]) throw document.errors[0];
    return (document.toJS() as KubernetesObject | null) ?? [];
  });
}

export function ofKind(objects: readonly KubernetesObject[], kind: string): KubernetesObject[] {
  return objects.filter((object) => object.kind === kind);
}

/** The pods that objects make, by what makes them. */
export function podsOf(objects: readonly KubernetesObject[]): [string, PodSpec][] {
  return objects.flatMap((object): [string, PodSpec][] => {
    const name = `${object.kind}/${object.metadata.name}`;
    if (object.kind === 'Pod') return [[name, object.spec as PodSpec]];
    if (object.kind !== 'Deployment' && object.kind !== 'Job') return [];
    return [[name, (object.spec as { template: { spec: PodSpec } }).template.spec]];
  });
}

/** The service's name, of an object that belongs to one. */
export function componentOf({ metadata }: KubernetesObject): string | undefined {
  return metadata.labels?.['app.kubernetes.io/component'];
}
