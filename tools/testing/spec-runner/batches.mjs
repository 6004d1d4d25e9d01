/** Which spec files share a process, and in which order processes start. The same for every run of the same files. */

/** Files in one process: enough to load a service's packages once, few enough to part the work evenly. */
const MOST = 8;

/** The longest files, in seconds: alone, and first, so that no lane is left with one at the end. */
const LONG = [
  ['apps/command/dist/crash/crash.db.spec.js', 90],
  ['apps/telemetry/dist/ingest/fuzz.db.spec.js', 90],
  ['apps/command/dist/crash/faults.db.spec.js', 50],
  ['apps/command/dist/delivery/replicas.db.spec.js', 40],
  ['apps/revocation/dist/crl/crl-publishing.db.spec.js', 40],
  ['apps/cli/dist/device/import.spec.js', 30],
  ['apps/telemetry/dist/tail/tail.db.spec.js', 30],
  ['apps/vehicle/dist/agent/renewal.spec.js', 25],
  ['apps/provisioning/dist/rotation/rotations.db.spec.js', 25],
];

/** Jest's tests in batches of one package each; `serial` keeps the given order. */
export function batches(tests, serial) {
  const made = [];
  for (const test of serial ? tests : [...tests].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const seconds = secondsOf(test.path);
    const last = made.at(-1);
    const alone = seconds >= 20 || (last?.seconds ?? 0) >= 60;
    if (last && !last.alone && !alone && last.of === packageOf(test.path) && last.tests.length < MOST) {
      last.tests.push(test);
      last.seconds += seconds;
    } else made.push({ of: packageOf(test.path), alone: seconds >= 20, seconds, tests: [test] });
  }
  if (!serial) made.sort((a, b) => b.seconds - a.seconds);
  return made.map((batch) => batch.tests);
}

/** What a file takes, roughly: those with a database and a NATS of their own start a service. */
function secondsOf(path) {
  const named = LONG.find(([end]) => path.endsWith(end));
  return named?.[1] ?? (path.endsWith('.db.spec.js') ? 8 : 1);
}

/** The folder above `dist`. */
export function packageOf(path) {
  return path.slice(0, path.lastIndexOf('/dist/'));
}
