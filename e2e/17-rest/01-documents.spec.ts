import { beforeAll, describe, expect, it } from '@jest/globals';
import { at, type Service } from '../harness/endpoints.js';
import { Client } from './client.js';
import type { Document } from './document.js';

const SERVICES = ['provisioning', 'token', 'telemetry', 'command', 'revocation', 'gateway'] as const;
const client = new Client();
const read = async (service: Service, path: string) => {
  const answer = await client.ask({ method: 'GET', url: `${at(service, 'operator')}${path}` });
  expect(answer?.status).toBe(200);
  return JSON.parse(answer?.text ?? '') as Document;
};

describe.each(SERVICES)('the document of %s', (service) => {
  let document: Document;

  beforeAll(async () => {
    document = await read(service, '/openapi.json');
  });

  it('is OpenAPI 3.1', () => {
    expect(document.openapi).toMatch(/^3\.1\./);
  });

  it('has what the router has, on the same listeners, and nothing else', () => {
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([method, operation]) =>
        operation['x-outrider-listeners'].map(
          (on) => `${on} ${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`,
        ),
      ),
    );
    // What is answered past the router has a path alone.
    const past = document['x-outrider-served'].filter((one) => one.includes(' ANY '));
    const isPast = (one: string) => past.some((any) => one.replace(/ (GET|POST) /, ' ANY ').startsWith(any));
    expect(
      past.filter((any) => !described.some((one) => one.replace(/ (GET|POST) /, ' ANY ').startsWith(any))),
    ).toEqual([]);
    const served = document['x-outrider-served'].filter((one) => !one.includes(' ANY '));
    expect(described.filter((one) => !isPast(one)).sort()).toEqual([...served].sort());
  });

  it('gives each operation an id of its own, a sentence, and refusals', () => {
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { operationId, summary, responses } of operations) {
      expect({ operationId, summary }).toEqual({ operationId, summary: expect.stringMatching(/\.$/) });
      expect(Object.keys(responses).some((status) => Number(status) >= 400)).toBe(true);
    }
  });

  it('refers to nothing that is not there', () => {
    const text = JSON.stringify(document);
    const references = new Set(
      [...text.matchAll(/"\$ref":"#\/components\/(\w+)\/([^"]+)"/g)].map((one) => [one[1], one[2]]),
    );
    for (const [kind, name] of references) expect(document.components[kind ?? '']).toHaveProperty([name ?? '']);
  });
});

it('the gateway has the documents of all as one', async () => {
  const merged = await read('gateway', '/docs/openapi.json');
  for (const service of SERVICES) {
    const { paths } = await read(service, '/openapi.json');
    for (const [path, operations] of Object.entries(paths)) {
      expect(Object.keys(merged.paths[path] ?? {})).toEqual(expect.arrayContaining(Object.keys(operations)));
    }
  }
  client.close();
});
