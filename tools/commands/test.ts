/**
 * `npm test [-- FILTER...]`: lint, the tests beside the code, the e2e suites; ends with `N passed, N failed`.
 * A filter is `lint`, `e2e`, or a part of a path: `libs/x509`, `apps/token`, `e2e/03-telemetry`, `attacks`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { printChecks, runChecks } from '../lint/checks.ts';
import { runCommand } from '../local/failure.ts';
import { freeOffset } from '../local/ports.ts';
import { readSettings, type Settings } from '../local/settings.ts';
import { runContainerTests } from '../testing/containers.ts';
import { hasE2eTests, runE2eTests } from '../testing/e2e.ts';
import { closingLine, count, emptyTally, type Tally } from '../testing/tally.ts';
import { runUnitTests } from '../testing/unit.ts';

await runCommand(async () => {
  const plan = planOf(process.argv.slice(2));
  const tally = emptyTally();
  const folder = mkdtempSync(join(tmpdir(), 'outrider-test-'));
  // A signal ends the child that runs now; what it tested until then is still added up, and everything is cleaned away.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => count(tally, `stopped by ${signal}`, false));
  const settings = (name: string): Settings => ({ ...readSettings({}), home: join(folder, name) });
  try {
    if (plan.lint) await attempt(tally, 'lint', () => lint(tally));
    if (plan.unit) await attempt(tally, 'unit', () => runUnitTests(tally, settings('unit'), plan.unit ?? []));
    if (plan.e2e && hasE2eTests())
      await attempt(tally, 'e2e', () => runE2eTests(tally, settings('e2e'), plan.e2e ?? []));
    if (!plan.containers && plan.lint && plan.e2e)
      tally.skipped.push('the suite in containers: npm run e2e:containers, or OUTRIDER_TEST_CONTAINERS=1');
    if (plan.containers)
      await attempt(tally, 'containers', async () =>
        runContainerTests(tally, { ...settings('containers'), portOffset: await freeOffset(9000) }),
      );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  for (const name of tally.skipped) console.log(`skipped: ${name}`);
  for (const name of tally.failures) console.log(`FAILED: ${name}`);
  console.log(closingLine(tally));
  return tally.failed === 0 && tally.passed > 0 ? 0 : 1;
});

interface Plan {
  readonly lint: boolean;
  /** Filters; undefined: none of that kind is run. */
  readonly unit: readonly string[] | undefined;
  readonly e2e: readonly string[] | undefined;
  /** The suite in containers: some minutes more, so only when asked for. */
  readonly containers: boolean;
}

function planOf(filters: readonly string[]): Plan {
  if (filters.length === 0)
    return { lint: true, unit: [], e2e: [], containers: process.env.OUTRIDER_TEST_CONTAINERS === '1' };
  const inE2e = (filter: string) => /^(e2e(\/|$)|attacks|\d\d-)/.test(filter);
  const e2e = filters
    .filter(inE2e)
    .map((filter) => filter.replace(/^e2e\/?/, ''))
    .filter(Boolean);
  const unit = filters.filter((filter) => !inE2e(filter) && filter !== 'lint');
  return {
    lint: filters.includes('lint'),
    unit: unit.length > 0 ? unit : undefined,
    e2e: filters.some(inE2e) ? e2e : undefined,
    containers: filters.some((filter) => filter.includes('19-containers')),
  };
}

async function lint(tally: Tally): Promise<void> {
  const results = await runChecks();
  printChecks(results);
  for (const { name, findings } of results) count(tally, `lint: ${name}`, findings === '');
}

/** A part that cannot even run is one failure, and no reason to leave out the others. */
async function attempt(tally: Tally, name: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    console.error(error);
    count(tally, `${name} could not run`, false);
  }
}
