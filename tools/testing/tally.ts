/** Adds up what was tested: the closing line and the exit code of `npm test` come from here. */

export interface Tally {
  passed: number;
  failed: number;
  /** Names of what was not run. */
  readonly skipped: string[];
  /** Names of what failed, for the end of a long output. */
  readonly failures: string[];
}

/** The part of jest's `--json` that counts. */
export interface JestResults {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

export function emptyTally(): Tally {
  return { passed: 0, failed: 0, skipped: [], failures: [] };
}

export function count(tally: Tally, name: string, good: boolean): void {
  if (good) tally.passed += 1;
  else {
    tally.failed += 1;
    tally.failures.push(name);
  }
}

/** Adds one sum to another. */
export function add(tally: Tally, part: Tally): void {
  tally.passed += part.passed;
  tally.failed += part.failed;
  tally.skipped.push(...part.skipped);
  tally.failures.push(...part.failures);
}

/** A test file that did not even load counts as one failure. */
export function countJest(tally: Tally, results: JestResults): void {
  for (const file of results.testResults) {
    if (file.assertionResults.length === 0 && file.status === 'failed') count(tally, file.name, false);
    for (const { fullName, status } of file.assertionResults) {
      if (status === 'passed') tally.passed += 1;
      else if (status === 'failed') count(tally, `${file.name}: ${fullName}`, false);
      else tally.skipped.push(fullName);
    }
  }
}

/** e.g. `1204 passed, 0 failed, 3 skipped`. */
export function closingLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`;
}
