/** `volume-folders.mjs FOLDER...`: makes folders that the images' user owns. A shell's `mkdir -p && chown`, where there may be none. */
import { chownSync, mkdirSync } from 'node:fs';

const USER = 65532;

for (const folder of process.argv.slice(2)) {
  mkdirSync(folder, { recursive: true });
  chownSync(folder, USER, USER);
}
