/** Holds objects against the schemas of their kinds, fields that no schema knows included: those an API server drops without a word. */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { KubernetesObject } from './render.js';

/** Packages with the schemas of an API group and version, by its last words. */
const PACKAGES: readonly (readonly [RegExp, string])[] = [
  [/^gateway\.networking\.k8s\.io\//, '@kubernetes-models/gateway-api'],
  [/^cert-manager\.io\//, '@kubernetes-models/cert-manager'],
  [/^monitoring\.coreos\.com\//, '@kubernetes-models/prometheus-operator'],
  [/^(v1|[a-z0-9.]+(\.k8s\.io)?\/v\w+)$/, 'kubernetes-models'],
];
/** In the schemas a map of quantities of anything: nothing in them is looked at. */
const FREE_FORM: readonly RegExp[] = [/^\/metadata\/(labels|annotations)\//];

interface Model {
  /** Throws for an object, as `this`, that does not fit. */
  readonly prototype: { readonly validate: (this: unknown) => void };
}

const require = createRequire(import.meta.url);

/** What is wrong with it, in words; nothing for an object as it should be. */
export async function complaintsAbout(object: KubernetesObject): Promise<string[]> {
  const model = await modelOf(object);
  if (!model) return [`no schema of ${object.apiVersion} ${object.kind}`];
  const read = new Set<string>();
  try {
    // The validator asks for every property that its schema has: what it never asked for, it does not know.
    model.prototype.validate.call(watched(object, '', read));
  } catch (error) {
    return [(error as Error).message];
  }
  return unread(object, '', read)
    .filter((path) => !FREE_FORM.some((free) => free.test(path)))
    .map((path) => `${path}: no such field`);
}

async function modelOf({ apiVersion, kind }: KubernetesObject): Promise<Model | undefined> {
  const name = PACKAGES.find(([group]) => group.test(apiVersion))?.[1];
  if (name === undefined) return undefined;
  const root = dirname(require.resolve(`${name}/package.json`).replace(/^file:\/\//, ''));
  const file = join(root, ...apiVersion.split('/'), `${kind}.js`);
  if (!readdirSync(dirname(file)).includes(`${kind}.js`)) return undefined;
  const module = (await import(pathToFileURL(file).href)) as Record<string, Model>;
  return module[kind];
}

function watched(value: unknown, path: string, read: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const copy = Array.isArray(value)
    ? value.map((item, index) => watched(item, `${path}/${index}`, read))
    : Object.fromEntries(Object.entries(value).map(([key, item]) => [key, watched(item, `${path}/${key}`, read)]));
  return new Proxy(copy, {
    get(target, key) {
      if (typeof key === 'string' && Object.hasOwn(target, key)) read.add(`${path}/${key}`);
      return Reflect.get(target, key);
    },
  });
}

function unread(value: unknown, path: string, read: ReadonlySet<string>): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const at = `${path}/${key}`;
    return read.has(at) ? unread(item, at, read) : [at];
  });
}
