import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from '@jest/globals';
import { configPage } from './config-page.js';
import { describedServices } from './described-services.store.js';

test('docs/configuration.md says of every key what its schema says', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/configuration.md'), 'utf8');
  expect(page).toBe(configPage(await describedServices()));
});

/** A key that would hold a secret itself; one that names a file ends in `File`. */
const BY_VALUE =
  /"(?:[a-z]*(?:[pP]assword|[sS]ecret|[pP]assphrase|[pP]in|[pP]rivateKey|[nN]onceKey|[eE]ncryptionKey|[tT]oken))":/;

describe('no service takes a secret by its configuration', () => {
  it('but by the name of a file', async () => {
    for (const { service, schema } of await describedServices()) {
      expect([service, BY_VALUE.exec(JSON.stringify(schema))?.[0]]).toEqual([service, undefined]);
    }
    expect(BY_VALUE.exec('{"clientSecret":{}}')).not.toBeNull();
  });

  it('and none by its environment', () => {
    const main = readFileSync(join(import.meta.dirname, '../../src/service/boot.provider.ts'), 'utf8');
    expect(main).not.toContain('process.env');
  });
});

it('names a key that nothing is said of', () => {
  const schema = { properties: { poolSize: { type: 'integer' } } };
  expect(() => configPage([{ service: 'token', schema }])).toThrow('nothing is said of poolSize');
});
