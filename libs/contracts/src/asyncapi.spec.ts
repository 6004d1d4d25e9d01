import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, it, test } from '@jest/globals';
import { Ajv } from 'ajv';
import { CONTRACTS } from './all.js';
import { asyncApi } from './asyncapi.js';

const require = createRequire(import.meta.url);
const document = JSON.parse(readFileSync(join(import.meta.dirname, '../../../docs/asyncapi.json'), 'utf8'));

test('docs/asyncapi.json is the list of contracts as it is', () => {
  expect(document).toEqual(JSON.parse(JSON.stringify(asyncApi())));
  expect(Object.keys(document.channels)).toEqual(CONTRACTS.map(({ subject }) => subject));
});

it('is AsyncAPI 3.0 by the schema of its makers, who would say otherwise', () => {
  const schema = require('@asyncapi/specs/schemas/3.0.0-without-$id.json');
  const validate = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
  expect(validate(document) ? [] : validate.errors?.slice(0, 5)).toEqual([]);
  expect(validate({ ...document, info: { title: 'no version' } })).toBe(false);
  expect(validate({ ...document, operations: { x: { action: 'shout', channel: { $ref: '#' } } } })).toBe(false);
});

it('refers to nothing that is not there', () => {
  const references = [...JSON.stringify(document.operations).matchAll(/"\$ref":"#([^"]+)"/g)].map((match) => match[1]!);
  expect(references.length).toBeGreaterThan(CONTRACTS.length);
  for (const reference of references) {
    const path = reference.split('/').slice(1);
    // biome-ignore lint/suspicious/noExplicitAny: a walk through JSON
    expect(path.reduce<any>((value, name) => value?.[name], document)).toBeDefined();
  }
});
