/** Where the clone is, whichever suite a spec drives. */
import { fileURLToPath } from 'node:url';

/** Absolute; this file is `e2e/dist/harness/project.js` when it runs. */
export const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));
