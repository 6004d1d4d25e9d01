/** `npm run lint`: format, lint, types, dependency rules, purity and file sizes. */
import { printChecks, runChecks } from '../lint/checks.ts';
import { runCommand } from '../local/failure.ts';

await runCommand(async () => {
  const results = await runChecks();
  printChecks(results);
  return results.every(({ findings }) => findings === '') ? 0 : 1;
});
