/** `npm run attack [-- ROW...]`: the attacks against the suite; exits non-zero when one gets through. */
import { runAgainstSuite } from '../local/against-suite.ts';
import { runCommand } from '../local/failure.ts';

await runCommand(() => runAgainstSuite('e2e/dist/attacks/main.js', process.argv.slice(2)));
