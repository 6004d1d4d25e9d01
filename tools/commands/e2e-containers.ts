/**
 * `npm run e2e:containers [-- --from-source]`: builds every image with buildah, plays the chart's manifests with podman beside a PostgreSQL and a
 * NATS of this machine, and runs the whole demo against the containers. Ends with `N passed, N failed`. Root, buildah, podman, runc, debootstrap.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runCommand } from '../local/failure.ts';
import { freeOffset } from '../local/ports.ts';
import { readSettings, type Settings } from '../local/settings.ts';
import { runContainerTests } from '../testing/containers.ts';
import { closingLine, emptyTally } from '../testing/tally.ts';

await runCommand(async () => {
  const { values } = parseArgs({ options: { 'from-source': { type: 'boolean', default: false } } });
  const tally = emptyTally();
  const home = mkdtempSync(join(tmpdir(), 'outrider-containers-'));
  const own = readSettings();
  const settings: Settings = { ...own, home, portOffset: own.portOffset || (await freeOffset(9000)) };
  try {
    await runContainerTests(tally, settings, { fromSource: values['from-source'] });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  for (const name of tally.skipped) console.log(`skipped: ${name}`);
  for (const name of tally.failures) console.log(`FAILED: ${name}`);
  console.log(closingLine(tally));
  return tally.failed === 0 && tally.passed > 0 ? 0 : 1;
});
