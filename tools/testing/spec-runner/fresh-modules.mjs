/** Which modules the files of one process share, and which each file has for itself. */
import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import { packageOf } from './batches.mjs';

const GLOBALS = new URL('spec-globals.mjs', import.meta.url).href;

let file = 0;
let own = '';
let ownOnlyTests = false;

/**
 * For the file that is loaded next: its package's modules anew, so that nothing in them remembers the file before.
 * Other packages stay loaded. Of a library, which others of those import as well, only specs and their fixtures are new.
 */
export function loadFresh(path) {
  file += 1;
  own = `${pathToFileURL(packageOf(path)).href}/dist/`;
  ownOnlyTests = /\/libs\/[^/]+\/dist\/$/.test(own);
}

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === '@jest/globals') return { url: `${GLOBALS}?spec=${file}`, shortCircuit: true };
    const found = next(specifier, context);
    const fresh = found.url.startsWith(own) && (!ownOnlyTests || /\.(spec|fixture)\.js$/.test(found.url));
    return fresh ? { ...found, url: `${found.url}?spec=${file}` } : found;
  },
});
