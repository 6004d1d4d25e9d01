/**
 * Gives dependency-cruiser the TypeScript 6 of this package. Left alone it finds the workspace's 7, cannot use it, and then
 * misses every TypeScript file with no more than a warning. Import this before dependency-cruiser.
 */
import { createRequire, registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';

const here = createRequire(import.meta.url);
/** All that dependency-cruiser asks of it. */
const ours = new Map(
  ['typescript', 'typescript/package.json'].map((name) => [name, pathToFileURL(here.resolve(name)).href]),
);

registerHooks({
  resolve(specifier, context, next) {
    const url = ours.get(specifier);
    return url ? { url, shortCircuit: true } : next(specifier, context);
  },
});
