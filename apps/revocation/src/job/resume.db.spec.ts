import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { JwksKeys } from '@outrider/platform/admission';
import { Listeners } from '@outrider/platform/http';
import { until } from '../suite.fixture.js';
import { bulk, JOBS, type JobGround, startJobs } from './job.fixture.js';

/** A lock that the third chunk waits for, so that its replica can be killed in the midst of it. */
const HOLD = 4712;

let jobs: JobGround;

beforeAll(async () => {
  jobs = await startJobs();
}, 60_000);
afterAll(() => jobs?.stop());

/** The service as a process of its own, with the suite's settings. */
function startProcess() {
  const file = join(mkdtempSync(join(tmpdir(), 'outrider-job-')), 'revocation.json');
  writeFileSync(file, JSON.stringify(jobs.ground.suite.config));
  const main = fileURLToPath(new URL('../main.js', import.meta.url));
  return spawn(process.execPath, [main, '--config', file], { stdio: 'ignore' });
}

it('a job whose replica is killed with -9 in the midst of a chunk is ended by another, each line once', async () => {
  const { suite, admin } = jobs.ground;
  const refs = await jobs.made('resume', 2000);
  await admin.query(`
    CREATE FUNCTION at_third_chunk() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF (SELECT count(*) FROM job_lines WHERE outcome IS NOT NULL) > 1000 THEN PERFORM pg_advisory_xact_lock(${HOLD}); END IF;
      RETURN NULL;
    END $$;
    CREATE TRIGGER crash AFTER UPDATE ON job_lines FOR EACH STATEMENT EXECUTE FUNCTION at_third_chunk()`);
  await admin.query('SELECT pg_advisory_lock($1)', [HOLD]);
  await suite.app.close();
  const child = startProcess();
  const id = randomUUID();
  const body = `thumbprint\n${refs.map(({ thumbprint }) => thumbprint).join('\n')}`;
  const isThere = () =>
    suite.call('GET', JOBS, undefined, { scope: 'device:read' }).then(({ status }) => status === 200);
  await until(() => isThere().catch(() => false), 60_000);
  expect(await jobs.put(id, body, bulk())).toMatchObject({ status: 202, body: { lines: 2000 } });
  const waiting = `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = ${HOLD} AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
  await until(async () => ((await admin.query(waiting)).rowCount ?? 0) > 0, 60_000);
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
  await admin.query(`SELECT pg_terminate_backend(pid) FROM (${waiting}) AS w`);
  await admin.query('DROP TRIGGER crash ON job_lines');
  await admin.query('SELECT pg_advisory_unlock($1)', [HOLD]);
  const { rows } = await admin.query('SELECT state, counts, runner FROM jobs WHERE id = $1', [id]);
  expect(rows[0]).toMatchObject({ state: 'running', counts: { revoked: 1000 }, runner: expect.any(String) });

  suite.app = await suite.startApp('revocation-00000002');
  await suite.app.get(Listeners).open();
  await until(() => suite.app.get(JwksKeys).get('test') !== undefined);
  expect((await jobs.over(id)).counts).toEqual({ revoked: 2000, certificates: 2000 });
  expect((await jobs.standing(refs.map(({ thumbprint }) => thumbprint))).size).toBe(2000);
  const { rows: all } = await admin.query(
    'SELECT (SELECT count(*)::int FROM revocations) AS revocations, (SELECT count(*)::int FROM status_changes) AS changes',
  );
  expect(all[0]).toEqual({ revocations: 2000, changes: 2000 });
}, 180_000);
