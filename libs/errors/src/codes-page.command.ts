/** Prints docs/errors.md. */
import { codesPage } from './codes-page.js';

process.stdout.write(codesPage());
