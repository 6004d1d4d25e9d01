/** The files of a pod as its containers see them: every mounted volume laid out below a folder. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Container, type KubernetesObject, ofKind, type PodSpec } from './render.js';

/** The contents of Secrets and ConfigMaps, by `kind/name`. */
export type Volumes = ReadonlyMap<string, Readonly<Record<string, string>>>;

export function volumesOf(objects: readonly KubernetesObject[]): Volumes {
  const secrets = ofKind(objects, 'Secret').map(({ metadata, data = {} }): [string, Record<string, string>] => {
    const decoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]);
    return [`Secret/${metadata.name}`, Object.fromEntries(decoded) as Record<string, string>];
  });
  const maps = ofKind(objects, 'ConfigMap').map(
    ({ metadata, data = {} }) => [`ConfigMap/${metadata.name}`, data] as const,
  );
  return new Map([...secrets, ...maps]);
}

/** What a container mounts, by where. */
export function mountsOf(pod: PodSpec, container: Container): [mountPath: string, source: string][] {
  return (container.volumeMounts ?? []).flatMap(({ name, mountPath }): [string, string][] => {
    const volume = pod.volumes?.find((one) => one.name === name);
    if (!volume) throw new Error(`${container.name} mounts ${name}, which is no volume`);
    if (volume.secret) return [[mountPath, `Secret/${volume.secret.secretName}`]];
    return volume.configMap ? [[mountPath, `ConfigMap/${volume.configMap.name}`]] : [];
  });
}

/** Lays out all that the pod's containers mount. Returns the volumes that nobody has. */
export function layOut(pod: PodSpec, volumes: Volumes, folder: string): string[] {
  const containers = [...(pod.initContainers ?? []), ...pod.containers];
  const missing = new Set<string>();
  for (const [mountPath, source] of containers.flatMap((container) => mountsOf(pod, container))) {
    const contents = volumes.get(source);
    if (!contents) missing.add(source);
    for (const [key, text] of Object.entries(contents ?? {})) {
      const file = join(folder, mountPath, key);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text, { mode: 0o600 });
    }
  }
  return [...missing];
}
