/** What may come into the product from outside, and how: rules over what the workspace declares, has locked and has installed. */
import parseSpdx from 'spdx-expression-parse';

/** A `package.json` of ours: its folder and every dependency of any kind. */
export interface Manifest {
  readonly folder: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** The parts of `pnpm-lock.yaml` that rules are about. */
export interface Lockfile {
  readonly importers: Readonly<
    Record<string, Readonly<Record<string, Readonly<Record<string, { specifier: string }>>>>>
  >;
  readonly packages: Readonly<Record<string, { readonly resolution: Readonly<Record<string, string>> }>>;
}

/** A package as it lies in `node_modules`. */
export interface Installed {
  readonly name: string;
  /** It would run a program of its own when installed: a script of its manifest, or a `binding.gyp`. */
  readonly wantsBuild: boolean;
}

/** A package of the production tree with its licence as its manifest says it. */
export interface Licensed {
  readonly name: string;
  readonly license: string;
}

export interface SupplyChain {
  readonly manifests: readonly Manifest[];
  readonly lockfile: Lockfile;
  /** `pnpm-workspace.yaml`. */
  readonly workspace: Readonly<Record<string, unknown>>;
  readonly installed: readonly Installed[];
  readonly production: readonly Licensed[];
  /** `deploy/Dockerfile`. */
  readonly dockerfile: string;
  /** Every image that `docker-compose.yml` names, our own too. */
  readonly composeImages: readonly string[];
}

/** Terms that ask for a notice at most: nothing that the product ships with may ask for its source. */
const LICENCES = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Unlicense',
]);
/** Others, each for one package only, with the reason. */
const LICENCES_OF_ONE: Readonly<Record<string, string>> = {
  // A list of names, which the tool that writes bills of materials reads: attribution is all it asks.
  'spdx-exceptions': 'CC-BY-3.0',
};

/** Packages that do nothing but tell their makers, or whoever pays for them, who uses what brings them. */
const REPORTING = /^(@scarf\/.*|posthog-node|@segment\/analytics-node|analytics-node|universal-analytics)$/;

const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;
const KINDS = ['dependencies', 'devDependencies', 'optionalDependencies'] as const;

/** Every rule, by name: what it finds, in words. */
export const RULES: Readonly<Record<string, (chain: SupplyChain) => string[]>> = {
  'versions are exact': ({ manifests }) =>
    manifests.flatMap(({ folder, dependencies }) =>
      Object.entries(dependencies)
        .filter(([, version]) => !EXACT.test(version) && version !== 'workspace:*')
        .map(([name, version]) => `${folder}: ${name} is "${version}", not one version`),
    ),

  'the lockfile is what the manifests say': ({ manifests, lockfile }) =>
    manifests.flatMap(({ folder, dependencies }) => {
      const locked = Object.fromEntries(
        KINDS.flatMap((kind) => Object.entries(lockfile.importers[folder]?.[kind] ?? {})).map(
          ([name, { specifier }]) => [name, specifier],
        ),
      );
      return [...new Set([...Object.keys(dependencies), ...Object.keys(locked)])]
        .filter((name) => dependencies[name] !== locked[name])
        .map(
          (name) =>
            `${folder}: ${name} is ${dependencies[name] ?? 'not declared'}, and ${locked[name] ?? 'not'} locked`,
        );
    }),

  'packages come from the registry, by their hash': ({ lockfile }) =>
    Object.entries(lockfile.packages)
      .filter(
        ([, { resolution }]) =>
          Object.keys(resolution).join() !== 'integrity' || !/^sha512-/.test(resolution.integrity ?? ''),
      )
      .map(([name, { resolution }]) => `${name}: ${JSON.stringify(resolution)}`),

  'the list of builds is closed': ({ workspace, installed, lockfile }) => {
    const listed = (workspace.allowBuilds ?? {}) as Readonly<Record<string, unknown>>;
    const locked = new Set(Object.keys(lockfile.packages).map((key) => key.slice(0, key.lastIndexOf('@'))));
    return [
      ...['dangerouslyAllowAllBuilds', 'onlyBuiltDependenciesFile']
        .filter((key) => key in workspace)
        .map((key) => `pnpm-workspace.yaml has ${key}`),
      ...Object.entries(listed)
        .filter(([name, may]) => typeof may !== 'boolean' || /[*^~ ]/.test(name))
        .map(([name]) => `allowBuilds: ${name} is neither true nor false for one package`),
      ...Object.keys(listed)
        .filter((name) => !locked.has(name))
        .map((name) => `allowBuilds: ${name} is in no lockfile`),
      ...[
        ...new Set(installed.filter(({ wantsBuild, name }) => wantsBuild && !(name in listed)).map(({ name }) => name)),
      ].map((name) => `${name} wants to run a build, and allowBuilds does not list it`),
    ];
  },

  'nothing reports who installs or runs it': ({ lockfile, installed }) => {
    const locked = Object.keys(lockfile.packages).map((key) => key.slice(0, key.lastIndexOf('@')));
    return [...new Set([...locked, ...installed.map(({ name }) => name)])]
      .filter((name) => REPORTING.test(name))
      .map((name) => `${name}: leave it out by an override in pnpm-workspace.yaml`);
  },

  'a base image can be given by its digest': ({ dockerfile }) => {
    const froms = [...dockerfile.matchAll(/^FROM\s+(\S+)(?:\s+AS\s+(\S+))?/gim)];
    const stages = froms.map(([, , stage]) => stage);
    return froms
      .filter(([, image = ''], index) => image !== 'scratch' && !stages.slice(0, index).includes(image))
      .filter(([, image = '']) => !/^\$\{\w+\}$/.test(image))
      .map(([line]) => `deploy/Dockerfile: "${line}" takes no argument`);
  },

  "others' images have a version": ({ composeImages }) =>
    composeImages
      .filter(
        (image) => !image.startsWith('outrider/') && !/(@sha256:[0-9a-f]{64}|:v?\d+(\.\d+)*(-[\w.]+)?)$/.test(image),
      )
      .map((image) => `docker-compose.yml: ${image}`),

  'licences are of the list': ({ production }) =>
    production
      .filter(({ name, license }) => LICENCES_OF_ONE[name] !== license && !isAllowed(license))
      .map(({ name, license }) => `${name}: ${license}`),
};

/** Whether a choice that the expression leaves lies within the list. */
function isAllowed(license: string): boolean {
  try {
    return holds(parseSpdx(license));
  } catch {
    return false;
  }
}

function holds(node: parseSpdx.Info): boolean {
  if ('license' in node) return LICENCES.has(node.license) && !node.exception;
  const sides = [node.left, node.right].map(holds);
  return node.conjunction === 'or' ? sides.some(Boolean) : sides.every(Boolean);
}
