/** Prints docs/asyncapi.json. */
import { asyncApi } from './asyncapi.js';

process.stdout.write(`${JSON.stringify(asyncApi(), undefined, 2)}\n`);
