/** What docker-compose's `files` hands each container of a real fleet: of the CAs' keys those that fleet-ca signs with, and nobody else any. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { HOME, PROJECT, SERVICES } from '../harness/endpoints.js';
import { inFolder } from '../harness/folder.js';
import { must } from '../harness/run.js';

const HANDED = inFolder('handed');
const KEYS = join(HANDED, 'fleet-ca', 'ca', 'keys');
const manifest = JSON.parse(readFileSync(join(HOME, 'fleet', 'authorities.json'), 'utf8')) as Record<
  string,
  { profile: string; generations: { key: { file: string }; certificate: string }[] }
>;
const filesOf = (...profiles: string[]) =>
  Object.values(manifest)
    .filter(({ profile }) => profiles.includes(profile))
    .flatMap(({ generations }) => generations.map(({ key }) => key.file));

beforeAll(async () => {
  // As it was handed out before the root's key stayed behind: a volume keeps what is in it.
  mkdirSync(KEYS, { recursive: true });
  for (const file of filesOf('root')) writeFileSync(join(HANDED, 'fleet-ca', 'ca', file), 'of an earlier day');
  const source = pathToFileURL(join(PROJECT, 'tools', 'deploy', 'compose', 'hand-out.ts')).href;
  const settings = JSON.stringify({ home: HOME, project: PROJECT });
  const script = `import { handOut } from '${source}'; handOut(${settings}, ${JSON.stringify(HANDED)});`;
  await must(process.execPath, ['--input-type=module', '--eval', script]);
});

describe('fleet-ca', () => {
  it('has the keys that it signs with, and not that of the root', () => {
    expect(filesOf('root')).not.toEqual([]);
    const online = filesOf('vehicle-ca', 'control-ca', 'infrastructure-ca');
    expect(
      readdirSync(KEYS)
        .map((name) => `keys/${name}`)
        .sort(),
    ).toEqual(online.sort());
  });

  it('finds what its manifest names, by the configuration that goes with it', () => {
    const { authorities } = JSON.parse(readFileSync(join(HANDED, 'fleet-ca', 'config.json'), 'utf8')) as {
      authorities: { manifestFile: string };
    };
    expect(authorities.manifestFile).toBe('/run/outrider/ca/authorities.json');
    const certificates = Object.values(manifest).flatMap(({ generations }) =>
      generations.map((one) => one.certificate),
    );
    for (const file of certificates)
      expect([file, existsSync(join(HANDED, 'fleet-ca', 'ca', file))]).toEqual([file, true]);
  });
});

it('no other container has a key of a CA', () => {
  for (const service of SERVICES.filter((name) => name !== 'fleet-ca'))
    expect([service, existsSync(join(HANDED, service, 'ca'))]).toEqual([service, false]);
});
