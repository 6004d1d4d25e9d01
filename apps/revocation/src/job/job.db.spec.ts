import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type CertificateRef, denylistKey } from '@outrider/contracts';
import { parseCrl } from '@outrider/x509';
import type pg from 'pg';
import { type Suite, until, vehicle } from '../suite.fixture.js';
import { bulk, JOBS, type JobGround, startJobs } from './job.fixture.js';
import { Jobs } from './jobs.repository.js';

let jobs: JobGround;
let ground: JobGround['ground'];
let suite: Suite;
let admin: pg.Client;
let show: JobGround['show'];
let lines: JobGround['lines'];
let put: JobGround['put'];
let over: JobGround['over'];
let standing: JobGround['standing'];
let made: JobGround['made'];

beforeAll(async () => {
  jobs = await startJobs();
  ({ ground, show, lines, put, over, standing, made } = jobs);
  ({ suite, admin } = ground);
}, 60_000);
afterAll(() => jobs?.stop());

/** How many certificates the CRLs list. */
async function listed(): Promise<number> {
  const counts = await Promise.all(
    [0, 1].map(async (shard) => {
      const response = await fetch(`${suite.httpUrl}/crl/${shard}.crl`);
      const der = new Uint8Array(await response.arrayBuffer());
      return response.status === 200 ? parseCrl(der).revoked.size : 0;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

describe('a file of certificates', () => {
  it('is revoked line by line, says what became of each, and is one job however often it is sent', async () => {
    const refs = await made('file', 1500);
    const [first, second] = refs as [CertificateRef, CertificateRef];
    await suite.post('/revoke', { thumbprint: first.thumbprint, reason: 'superseded' });
    const body = [
      'note,thumbprint,serial',
      ...refs.slice(0, 1000).map(({ thumbprint }) => `x,${thumbprint},`),
      ...refs.slice(1000).map(({ serialNumber }) => `"y","","${serialNumber.toUpperCase()}"`),
      `z,${second.thumbprint},`,
      'z,nonsense,',
      '',
    ].join('\r\n');
    const id = randomUUID();
    const sender = { token: suite.operatorToken('ca:revoke ca:revoke-bulk') };
    const sent = await put(id, body, sender);
    expect(sent).toMatchObject({ status: 202, body: { id, action: 'revoke', lines: 1502, target: { file: 'csv' } } });
    const done = await over(id);
    expect(done).toMatchObject({ settled: 1502, pending: [] });
    expect(done.counts).toEqual({ revoked: 1499, unchanged: 2, invalid: 1, certificates: 1499 });
    expect((await standing(refs.map(({ thumbprint }) => thumbprint))).size).toBe(1500);
    const again = await put(id, body, sender);
    expect(again).toMatchObject({ status: 202, body: { id, state: 'done', counts: done.counts } });
    const conflict = { status: 409, body: { code: 'revocation.job_conflict' } };
    expect(await put(id, `${body}\n`, sender)).toMatchObject(conflict);
    expect(await put(id, body, bulk())).toMatchObject(conflict);
    const { rows } = await admin.query('SELECT count(*) AS n FROM revocations WHERE thumbprint = ANY($1)', [
      refs.map(({ thumbprint }) => thumbprint),
    ]);
    expect(Number(rows[0].n)).toBe(1500);
    const odd = await lines(id, '?outcome=invalid');
    expect(odd.body.items).toEqual([
      { line: 1503, invalid: 'z,nonsense,', outcome: 'invalid', detail: 'no thumbprint' },
    ]);
    const page = await lines(id, '?outcome=unchanged&limit=1');
    expect(page.body).toMatchObject({ items: [{ line: 2, thumbprint: first.thumbprint }], next: '2' });
    expect((await lines(id, '?outcome=unchanged&after=2')).body.items).toMatchObject([{ line: 1502 }]);
    await until(() => ground.lastOf(denylistKey('certificate', refs.at(-1)?.thumbprint ?? '')) !== undefined);
    // Though lists are made hourly here: a large job's end is no turn to wait for.
    await until(async () => (await listed()) >= 1500);
  });

  it('of holds is given back by another file; what was revoked for good is told and stays', async () => {
    const refs = await made('held', 300);
    const [good] = refs as [CertificateRef];
    const body = refs.map(({ thumbprint }) => JSON.stringify({ thumbprint })).join('\n');
    const ndjson = { ...bulk(), contentType: 'application/x-ndjson' };
    const [held, released] = [randomUUID(), randomUUID()];
    await put(held, body, { ...ndjson, query: 'reason=certificate-hold&note=ticket 7' });
    expect((await over(held)).counts).toEqual({ revoked: 300, certificates: 300 });
    await suite.post('/revoke', { thumbprint: good.thumbprint, reason: 'keyCompromise' });
    await put(released, body, { ...ndjson, query: 'action=release' });
    expect((await over(released)).counts).toEqual({ released: 299, not_held: 1, certificates: 299 });
    expect([...(await standing(refs.map(({ thumbprint }) => thumbprint))).values()]).toEqual(['keyCompromise']);
    expect((await put(randomUUID(), body, { ...ndjson, query: 'action=release&reason=superseded' })).status).toBe(400);
  });

  it('changes nothing in a dry run, and says what it would', async () => {
    const refs = await made('dry', 3);
    const id = randomUUID();
    await put(id, `serial\n${refs.map(({ serialNumber }) => serialNumber).join('\n')}`, {
      query: 'reason=keyCompromise&dry_run=true',
    });
    expect((await over(id)).counts).toEqual({ revoked: 3, certificates: 3, devices: 3 });
    expect((await standing(refs.map(({ thumbprint }) => thumbprint))).size).toBe(0);
  });

  it('asks the owners of what it does not know, and forces only where that is said', async () => {
    const unheard = await vehicle(suite.fleet, 'job-unheard');
    suite.caClerk.certificates.push(unheard.certificate);
    const [plain, forced] = [randomUUID(), randomUUID()];
    await put(plain, `serial\n${unheard.ref.serialNumber}\n0badc0de01`);
    expect((await over(plain)).counts).toEqual({ revoked: 1, unknown: 1, certificates: 1 });
    await put(forced, 'serial\n0badc0de01', { query: 'force=true' });
    expect((await over(forced)).counts).toEqual({ revoked: 1 });
    const sql = `SELECT 1 FROM denylist_entries WHERE kind = 'serial' AND value LIKE '%-0badc0de01' AND NOT removed`;
    // As the vehicle CA's and as the infrastructure CA's.
    expect((await admin.query(sql)).rowCount).toBe(2);
  });

  it('needs a second person above a number of lines, of which many small files are no way around', async () => {
    const refs = await made('alone', 8);
    const file = (from: number, to: number) =>
      `thumbprint\n${refs
        .slice(from, to)
        .map((r) => r.thumbprint)
        .join('\n')}`;
    const token = suite.operatorToken('ca:revoke');
    const refused = await put(randomUUID(), file(0, 6), { token });
    expect(refused).toMatchObject({ status: 403, body: { code: 'revocation.elevation_required' } });
    const [one, other] = [randomUUID(), randomUUID()];
    expect((await put(one, file(0, 3), { token })).status).toBe(202);
    expect((await put(other, file(3, 6), { token })).status).toBe(403);
    expect((await show(other)).status).toBe(404);
    expect((await put(other, file(3, 5), { token })).status).toBe(202);
    expect((await put(randomUUID(), file(5, 8), bulk())).status).toBe(202);
    await over(one);
    await over(other);
    expect((await standing(refs.slice(0, 5).map(({ thumbprint }) => thumbprint))).size).toBe(5);
  });

  it('counts for its account what was settled before it was cancelled', async () => {
    const refs = await made('cancelled', 6);
    const file = (some: readonly CertificateRef[]) => `thumbprint\n${some.map((r) => r.thumbprint).join('\n')}`;
    const token = suite.operatorToken('ca:revoke');
    const id = randomUUID();
    const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
    const query = `reason=superseded&at=${inAnHour}`;
    expect((await put(id, file(refs.slice(0, 5)), { token, query })).status).toBe(202);
    // Its last line cannot be tried now.
    await admin.query(`UPDATE job_lines SET again_at = now() + interval '1 hour' WHERE job_id = $1 AND line = 5`, [id]);
    await admin.query('UPDATE jobs SET not_before = now() WHERE id = $1', [id]);
    await until(async () => (await show(id)).body.counts.revoked === 4);
    const { body } = await suite.call('POST', `${JOBS}/${id}/cancel`);
    expect(body).toMatchObject({ state: 'cancelled', counts: { revoked: 4, cancelled: 1 } });
    const never = randomUUID();
    expect((await put(never, file(refs.slice(4, 5)), { token, query })).status).toBe(202);
    expect((await suite.call('POST', `${JOBS}/${never}/cancel`)).body.counts).toEqual({ cancelled: 1 });
    expect((await put(randomUUID(), file(refs.slice(4)), { token })).status).toBe(403);
    expect((await put(randomUUID(), file(refs.slice(5)), { token })).status).toBe(202);
  });

  it('that never came whole is given up an hour after it was left', async () => {
    const [old, left, young] = [randomUUID(), randomUUID(), randomUUID()];
    for (const id of [old, left, young]) {
      expect((await put(id, 'serial\n0badc0de01', bulk())).status).toBe(202);
      await over(id);
    }
    const cutOff = (id: string, createdAt: string, leasedUntil: string) =>
      admin.query(
        `UPDATE jobs SET state = 'receiving', runner = 'gone', created_at = ${createdAt}, leased_until = ${leasedUntil}
         WHERE id = $1`,
        [id],
      );
    await cutOff(old, `now() - interval '2 hours'`, 'NULL');
    await cutOff(left, `now() - interval '2 hours'`, 'now()');
    await cutOff(young, 'now()', 'NULL');
    await suite.app.get(Jobs).release(left, 'gone');
    await suite.app.get(Jobs).clear();
    expect((await show(old)).body.state).toBe('failed');
    for (const id of [left, young]) expect((await show(id)).body.state).toBe('receiving');
  });

  it('that was cut off is sent on by its account alone, with the rights that it has then', async () => {
    const refs = await made('cut', 6);
    const body = `thumbprint\n${refs.map(({ thumbprint }) => thumbprint).join('\n')}`;
    const id = randomUUID();
    const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
    const account = `op:${randomUUID()}`;
    const elevated = suite.operatorToken('ca:revoke ca:revoke-bulk', account);
    expect((await put(id, body, { token: elevated, query: `reason=superseded&at=${inAnHour}` })).status).toBe(202);
    const cutOff = () => admin.query(`UPDATE jobs SET state = 'receiving', body_sha256 = NULL WHERE id = $1`, [id]);
    await cutOff();
    const later = { query: 'reason=superseded' };
    expect(await put(id, body, { ...later, ...bulk() })).toMatchObject({ status: 409 });
    const plain = suite.operatorToken('ca:revoke', account);
    expect(await put(id, body, { ...later, token: plain })).toMatchObject({
      status: 403,
      body: { code: 'revocation.elevation_required' },
    });
    expect((await show(id)).status).toBe(404);
    expect((await put(id, body, { ...later, token: elevated })).status).toBe(202);
    expect((await over(id)).counts).toMatchObject({ revoked: 6 });
  });

  it('is refused where it is none', async () => {
    const id = randomUUID();
    expect(await put(id, 'nothing,known\n1,2', bulk())).toMatchObject({
      status: 400,
      body: { code: 'request.invalid' },
    });
    expect((await show(id)).status).toBe(404);
    expect((await put(id, 'serial\n01', { ...bulk(), contentType: 'text/plain' })).status).toBe(415);
    expect((await put(id, 'serial\n01', { ...bulk(), query: 'reason=because' })).status).toBe(400);
    expect((await put(id, 'serial\n01', { scope: 'device:read' })).status).toBe(403);
  });
});
