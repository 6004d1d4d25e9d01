/** The software bill of materials (CycloneDX 1.6, JSON) of exactly what was packed: no time and no random number in it, so that it is the same each time. */
import { createRequire } from 'node:module';
import { Contrib, Enums, Models, Serialize, Spec } from '@cyclonedx/cyclonedx-library';
import { PackageURL } from 'packageurl-js';
import type { Closure, Package } from './closure.ts';

/** Below the application: Node, and the libraries it loads. */
export interface BasePackage {
  readonly name: string;
  readonly version: string;
  /** `generic` for Node itself, `deb` for the distribution's. */
  readonly type: 'generic' | 'deb';
  readonly distribution?: string;
}

// It ships no types; it throws at what is no SPDX expression.
const spdx = createRequire(import.meta.url)('spdx-expression-parse') as (text: string) => unknown;
const licences = new Contrib.License.Factories.LicenseFactory(spdx);
const builder = new Contrib.FromNodePackageJson.Builders.ComponentBuilder(
  new Contrib.FromNodePackageJson.Factories.ExternalReferenceFactory(),
  licences,
);

/** `integrities`: subresource integrity of each tarball, by `name@version`. */
export function softwareBill(
  { service, packages }: Closure,
  base: readonly BasePackage[],
  integrities: ReadonlyMap<string, string>,
): string {
  const root = componentOf(service, Enums.ComponentType.Application, integrities);
  const components = new Map(
    [...packages].map(([key, one]) => [key, componentOf(one, Enums.ComponentType.Library, integrities)]),
  );
  const bom = new Models.Bom();
  bom.metadata.component = root;
  for (const component of components.values()) bom.components.add(component);
  for (const one of base) bom.components.add(baseComponent(one, root));
  for (const [component, { needs }] of [
    [root, service] as const,
    ...[...packages].map(([key, one]) => [components.get(key), one] as const),
  ]) {
    for (const key of needs.values()) {
      const ref = components.get(key)?.bomRef;
      if (ref && component) component.dependencies.add(ref);
    }
  }
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 1 })}\n`;
}

function componentOf(
  one: Package,
  type: Enums.ComponentType,
  integrities: ReadonlyMap<string, string>,
): Models.Component {
  // The builder reads texts where old packages have objects.
  const { dependencies: _, ...manifest } = one.manifest;
  const component = builder.makeComponent(manifest, type);
  if (!component) throw new Error(`${one.folder} has no name`);
  for (const licence of component.licenses) licence.acknowledgement = Enums.LicenseAcknowledgement.Declared;
  component.bomRef.value = one.key;
  const integrity = integrities.get(`${one.name}@${one.manifest.version}`);
  if (one.own) return component;
  const [namespace, name] = one.name.startsWith('@') ? one.name.split('/') : [undefined, one.name];
  component.purl = new PackageURL(
    'npm',
    namespace,
    name as string,
    one.manifest.version,
    undefined,
    undefined,
  ).toString();
  if (integrity) {
    const [algorithm, content] = Contrib.FromNodePackageJson.Utils.parsePackageIntegrity(integrity);
    const hashes = new Models.HashDictionary([[algorithm, content]]);
    // Of the tarball it came in: what lies in the image is a part of it.
    const url = `https://registry.npmjs.org/${one.name}/-/${name}-${one.manifest.version}.tgz`;
    component.externalReferences.add(
      new Models.ExternalReference(url, Enums.ExternalReferenceType.Distribution, { hashes }),
    );
  }
  return component;
}

function baseComponent({ name, version, type, distribution }: BasePackage, root: Models.Component): Models.Component {
  const qualifiers = type === 'deb' && distribution ? { distro: distribution } : undefined;
  const purl = new PackageURL(
    type,
    type === 'deb' ? 'debian' : undefined,
    name,
    version,
    qualifiers,
    undefined,
  ).toString();
  const component = new Models.Component(
    name === 'node' ? Enums.ComponentType.Platform : Enums.ComponentType.Library,
    name,
    { version, purl, bomRef: `${type}:${name}` },
  );
  root.dependencies.add(component.bomRef);
  return component;
}
