import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BundleContent } from './bundle-document.js';

const SUFFIX = '.cedar';

/** The policies of a folder: `schema.cedarschema`, and each policy in a file of its name. */
export function readPolicyFolder(folder: string): BundleContent {
  const files = readdirSync(folder).filter((name) => name.endsWith(SUFFIX));
  const policies = files
    .sort()
    .map((name) => [name.slice(0, -SUFFIX.length), readFileSync(join(folder, name), 'utf8')]);
  return { schema: readFileSync(join(folder, 'schema.cedarschema'), 'utf8'), policies: Object.fromEntries(policies) };
}
