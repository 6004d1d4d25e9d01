/** `npm run demo [-- --drive FILE]`: the whole story against the suite, as a timeline. */
import { runAgainstSuite } from '../local/against-suite.ts';
import { runCommand } from '../local/failure.ts';

await runCommand(() => runAgainstSuite('e2e/dist/demo/main.js', process.argv.slice(2)));
