/** What is in an image, and that it is the same each time. */
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { describe, expect, it, test } from '@jest/globals';
import { facts, inImage, podman } from './containers.js';

const MAX_BYTES = 250 * 2 ** 20;

interface Bill {
  readonly components: readonly { name: string; group?: string; version: string; purl?: string; type: string }[];
}

describe('images', () => {
  test.each(facts.images)('$service is at most 250 MB', ({ bytes }) => {
    expect(bytes).toBeLessThan(MAX_BYTES);
  });

  it('share all that is not the application', () => {
    expect(facts.images).toHaveLength(7);
    expect(new Set(facts.images.map(({ layers }) => layers[0])).size).toBe(1);
  });

  it('come out the same, layer by layer, when built again from nothing', () => {
    const [again] = facts.again;
    const first = facts.images.find(({ service }) => service === again?.service);
    expect(again?.layers).toHaveLength(2);
    expect(again?.layers).toEqual(first?.layers);
  });

  test.each(facts.images)('$service runs as a number, without a shell in what it starts', async ({ name }) => {
    const [about] = JSON.parse(await podman('image', 'inspect', name)) as [
      { User: string; Healthcheck?: { Test: string[] }; Config: { Entrypoint: string[] } },
    ];
    expect(about.User).toBe('65532:65532');
    expect(about.Config.Entrypoint).toEqual(['node', '--enable-source-maps', 'dist/main.js']);
    expect(about.Healthcheck?.Test).toEqual(['CMD', 'node', 'healthcheck.mjs']);
  });

  test.each(facts.images)('$service holds no program but Node, no sources and no tests', async ({ name }) => {
    const files = await inImage(name, filesOf);
    const programs = files.filter((file) => /^\/(usr\/)?(local\/)?s?bin\//.test(file));
    expect(programs).toEqual(['/usr/local/bin/node']);
    expect(
      files.filter((file) =>
        /\.[cm]?ts$|\.spec\.|\.fixture\.|\/node_modules\/(npm|pnpm|typescript|@scarf\/scarf)\//.test(file),
      ),
    ).toEqual([]);
    expect(files).toContain('/outrider/dist/main.js');
    expect(files).toContain('/outrider/dist/main.js.map');
  });

  test.each(facts.images)('$service lists in its bill of materials what is in it, and no more', async ({ name }) => {
    const { text, found } = await inImage(name, (root) => ({
      text: readFileSync(join(root, 'outrider', 'sbom.cdx.json'), 'utf8'),
      found: packagesIn(join(root, 'outrider')),
    }));
    await expect(new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text)).resolves.toBeNull();
    const { components } = JSON.parse(text) as Bill;
    const listed = components
      .filter(({ purl }) => !/^pkg:(deb|generic)\//.test(purl ?? ''))
      .map(({ group, name: own, version }) => `${group ? `${group}/` : ''}${own}@${version}`);
    expect([...listed].sort()).toEqual(found);
    expect(found.length).toBeGreaterThan(100);
    const base = components.map(({ purl }) => purl ?? '').filter((purl) => /^pkg:(deb|generic)\//.test(purl));
    expect(base).toContain(`pkg:generic/node@${await nodeOf(name)}`);
    expect(base.some((purl) => purl.startsWith('pkg:deb/debian/libc6@'))).toBe(true);
  });
});

async function nodeOf(image: string): Promise<string> {
  const version = await podman(
    'run',
    '--rm',
    '--read-only',
    '--no-healthcheck',
    '--entrypoint',
    'node',
    image,
    '--version',
  );
  return version.trim().replace(/^v/, '');
}

function filesOf(root: string, below = ''): string[] {
  return readdirSync(join(root, below), { withFileTypes: true }).flatMap((entry) => {
    const path = `${below}/${entry.name}`;
    return entry.isDirectory() ? filesOf(root, path) : [path];
  });
}

/** `name@version` of every package below pnpm's own folder, sorted. */
function packagesIn(outrider: string): string[] {
  const store = join(outrider, 'node_modules', '.pnpm');
  const homes = readdirSync(store).map((key) => join(store, key, 'node_modules'));
  const folders = homes.flatMap((home) =>
    readdirSync(home).flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(home, name)).map((part) => join(home, name, part)) : [join(home, name)],
    ),
  );
  return folders
    .filter((folder) => !lstatSync(folder).isSymbolicLink() && existsSync(join(folder, 'package.json')))
    .map((folder) => {
      const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<
        string,
        string
      >;
      return `${name}@${version}`;
    })
    .sort();
}
