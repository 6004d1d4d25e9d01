/** The documents of all services as one. */
import { combine, isSame } from './combine.js';
import { type OpenApiDocument, tagsOf } from './document.js';
import type { Operation } from './operation.js';
import type { JsonSchema } from './schemas.js';
import { inlineResponses, shareResponses } from './shared-responses.js';

/** One document of several; components that two of them have under one name must be the same. */
export function merge(documents: readonly OpenApiDocument[]): OpenApiDocument {
  const paths: Record<string, Record<string, Operation>> = {};
  const components: Record<string, Record<string, JsonSchema>> = {};
  for (const document of documents) {
    const inlined = inlineResponses(document.paths, document.components.responses ?? {});
    for (const [path, operations] of Object.entries(inlined)) {
      for (const [method, operation] of Object.entries(operations)) {
        const there = paths[path]?.[method];
        paths[path] = { ...paths[path], [method]: there ? combine(there, operation) : operation };
      }
    }
    for (const [kind, named] of Object.entries(document.components)) {
      for (const [name, one] of Object.entries(named)) {
        const there = components[kind]?.[name];
        if (there && !isSame(there, one)) throw new Error(`two different ${kind} are called ${name}`);
        components[kind] = { ...components[kind], [name]: one };
      }
    }
  }
  const [first] = documents;
  if (!first) throw new Error('no documents to merge');
  const { paths: shared, responses } = shareResponses(paths);
  const sorted = Object.fromEntries(Object.entries(shared).sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    ...first,
    info: { ...first.info, title: 'Outrider' },
    tags: tagsOf(sorted),
    paths: sorted,
    components: { ...components, responses },
  };
}
