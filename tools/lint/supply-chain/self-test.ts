/** Plants what each rule must find beside what it must not: a rule that misses its own is no rule. */
import { RULES, type SupplyChain } from './rules.ts';

const GOOD: SupplyChain = {
  manifests: [{ folder: 'apps/a', dependencies: { ours: 'workspace:*', theirs: '1.2.3', next: '2.0.0-rc.1' } }],
  lockfile: {
    importers: {
      'apps/a': {
        dependencies: { ours: { specifier: 'workspace:*' }, theirs: { specifier: '1.2.3' } },
        devDependencies: { next: { specifier: '2.0.0-rc.1' } },
      },
    },
    packages: {
      'theirs@1.2.3': { resolution: { integrity: 'sha512-AA==' } },
      '@a/builds@1.0.0': { resolution: { integrity: 'sha512-AA==' } },
    },
  },
  workspace: { allowBuilds: { '@a/builds': false } },
  installed: [
    { name: '@a/builds', wantsBuild: true },
    { name: 'theirs', wantsBuild: false },
  ],
  production: [
    { name: 'theirs', license: '(MIT OR GPL-2.0)' },
    { name: 'spdx-exceptions', license: 'CC-BY-3.0' },
  ],
  dockerfile: 'ARG BASE=node:24\nFROM $' + '{BASE} AS base\nFROM base AS more\nFROM scratch AS service\n',
  composeImages: ['outrider/token', 'docker.io/library/nats:2.11-alpine', `postgres@sha256:${'a'.repeat(64)}`],
};

const of = (dependencies: Record<string, string>) => ({ manifests: [{ folder: 'apps/a', dependencies }] });
const locked = (resolution: Record<string, string>) => ({
  lockfile: { ...GOOD.lockfile, packages: { ...GOOD.lockfile.packages, 'theirs@1.2.3': { resolution } } },
});
const licensed = (name: string, license: string) => ({ production: [{ name, license }] });

const PLANTS: readonly (readonly [rule: string, part: Partial<SupplyChain>])[] = [
  ...['^1.2.3', '~1.2.3', '1', '*', 'latest', 'git+https://example.com/a.git', 'file:../a', 'npm:other@1.2.3'].map(
    (version) => ['versions are exact', of({ theirs: version })] as const,
  ),
  ['the lockfile is what the manifests say', of({ ours: 'workspace:*', theirs: '1.2.4', next: '2.0.0-rc.1' })],
  ['the lockfile is what the manifests say', of({ ours: 'workspace:*', theirs: '1.2.3' })],
  ['the lockfile is what the manifests say', of({ ...GOOD.manifests[0]?.dependencies, more: '1.0.0' })],
  ['packages come from the registry, by their hash', locked({})],
  ['packages come from the registry, by their hash', locked({ integrity: 'sha1-AA==' })],
  [
    'packages come from the registry, by their hash',
    locked({ integrity: 'sha512-AA==', tarball: 'https://example.com/a.tgz' }),
  ],
  [
    'packages come from the registry, by their hash',
    locked({ type: 'git', repo: 'https://example.com/a.git', commit: 'a' }),
  ],
  ['the list of builds is closed', { workspace: { allowBuilds: {} } }],
  ['the list of builds is closed', { workspace: {} }],
  ['the list of builds is closed', { workspace: { allowBuilds: { '@a/*': true, '@a/builds': false } } }],
  ['the list of builds is closed', { workspace: { allowBuilds: { '@a/builds': false, gone: false } } }],
  [
    'the list of builds is closed',
    { workspace: { allowBuilds: { '@a/builds': false }, dangerouslyAllowAllBuilds: true } },
  ],
  [
    'nothing reports who installs or runs it',
    {
      lockfile: {
        ...GOOD.lockfile,
        packages: { '@scarf/scarf@1.4.0': { resolution: { integrity: 'sha512-AA==' } } },
      },
    },
  ],
  ['nothing reports who installs or runs it', { installed: [{ name: '@scarf/scarf', wantsBuild: true }] }],
  ...['FROM node:24', 'FROM node AS later\nFROM later', 'FROM later\nFROM scratch AS later'].map(
    (dockerfile) => ['a base image can be given by its digest', { dockerfile }] as const,
  ),
  ...['nats', 'nats:latest', 'docker.io/library/nats:alpine', 'nats@sha256:aa'].map(
    (image) => ["others' images have a version", { composeImages: [image] }] as const,
  ),
  ...['GPL-2.0', 'MIT AND LGPL-3.0', 'SEE LICENSE IN LICENSE', '', 'UNLICENSED', 'CC-BY-3.0'].map(
    (license) => ['licences are of the list', licensed('theirs', license)] as const,
  ),
  ['licences are of the list', licensed('spdx-exceptions', 'GPL-3.0')],
];

/** What was missed, and what was found where nothing is. */
export function missedPlants(): string[] {
  const missed = PLANTS.filter(([rule, part]) => RULES[rule]?.({ ...GOOD, ...part }).length === 0).map(
    ([rule, part]) => `${rule}: misses ${JSON.stringify(part)}`,
  );
  const unplanted = Object.keys(RULES).filter((rule) => !PLANTS.some(([planted]) => planted === rule));
  const wrong = Object.entries(RULES).flatMap(([rule, find]) => find(GOOD).map((found) => `${rule}: finds ${found}`));
  return [...missed, ...unplanted.map((rule) => `${rule}: nothing is planted`), ...wrong];
}
