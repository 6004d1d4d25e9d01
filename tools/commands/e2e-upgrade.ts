/**
 * `npm run e2e:upgrade [-- restore | previous]`: runs the services of the version before against the schema of this one, then this one in its
 * place; and restores a backup of a running suite. Without a word both. Minutes: a second checkout is built. Ends with `N passed, N failed`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../local/failure.ts';
import { freeOffset } from '../local/ports.ts';
import { readSettings, type Settings } from '../local/settings.ts';
import { closingLine, emptyTally } from '../testing/tally.ts';
import { runPreviousServices, runRestore } from '../testing/upgrade.ts';

await runCommand(async () => {
  const parts = process.argv.slice(2);
  const tally = emptyTally();
  const home = mkdtempSync(join(tmpdir(), 'outrider-upgrade-'));
  const own = readSettings();
  const settings: Settings = { ...own, home, portOffset: own.portOffset || (await freeOffset(14_000)) };
  try {
    if (parts.length === 0 || parts.includes('restore')) await runRestore(tally, settings);
    if (parts.length === 0 || parts.includes('previous')) await runPreviousServices(tally, settings);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  for (const name of tally.skipped) console.log(`skipped: ${name}`);
  for (const name of tally.failures) console.log(`FAILED: ${name}`);
  console.log(closingLine(tally));
  return tally.failed === 0 && tally.passed > 0 ? 0 : 1;
});
