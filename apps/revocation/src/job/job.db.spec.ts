import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type CertificateRef, denylistKey, targetsList } from '@outrider/contracts';
import { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import type pg from 'pg';
import { type Revoking, startRevoking } from '../revoke/revoke.fixture.js';
import { type Answer, type PostOptions, type Suite, until } from '../suite.fixture.js';

let ground: Revoking;
let suite: Suite;
let admin: pg.Client;
let enrolled: Revoking['enrolled'];

beforeAll(async () => {
  ground = await startRevoking();
  ({ suite, admin, enrolled } = ground);
}, 60_000);
afterAll(() => ground?.stop());

const BULK = 'ca:revoke ca:revoke-bulk';
const JOBS = '/v1/revocations/jobs';
const bulk = (): PostOptions => ({ scope: BULK });
const show = (id: string) => suite.call('GET', `${JOBS}/${id}`, undefined, { scope: 'device:read' });
const lines = (id: string, query = '') =>
  suite.call('GET', `${JOBS}/${id}/lines${query}`, undefined, { scope: 'device:read' });
const put = (id: string, body: string, options: PostOptions & { query?: string } = {}) =>
  suite.call('PUT', `${JOBS}/${id}?${options.query ?? 'reason=cessationOfOperation'}`, body, {
    contentType: 'text/csv',
    ...options,
  });

/** The job once it is over. */
async function over(id: string, state = 'done'): Promise<Answer['body']> {
  let last: Answer['body'];
  await until(async () => {
    last = (await show(id)).body;
    return last.state === state;
  }, 30_000);
  return last;
}

const standing = async (thumbprints: readonly string[]) => {
  const sql = 'SELECT thumbprint, reason FROM revoked_certificates WHERE thumbprint = ANY($1)';
  return new Map((await admin.query(sql, [thumbprints])).rows.map((row) => [row.thumbprint, row.reason]));
};

const base64url = (bytes: number) => randomBytes(bytes).toString('base64url');

/** Certificates that only the projection knows, `perKey` of each key. */
async function made(prefix: string, count: number, parts: Partial<CertificateRef> = {}): Promise<CertificateRef[]> {
  const refs = Array.from({ length: count }, (_, n) => ({
    deviceId: DeviceId.parse(`${prefix}-${n}`),
    issuerKeyId: suite.fleet.vehicleCa.certificate.subjectKeyId ?? '',
    serialNumber: SerialNumber.parse(randomBytes(16).toString('hex')),
    thumbprint: Thumbprint.parse(base64url(32)),
    keyThumbprint: base64url(32),
    notBefore: new Date(Date.now() - 1000).toISOString(),
    notAfter: new Date(Date.now() + 3_600_000).toISOString(),
    ...parts,
  }));
  await ground.known(refs);
  return refs;
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
    const sent = await put(id, body, bulk());
    expect(sent).toMatchObject({ status: 202, body: { id, action: 'revoke', lines: 1502, target: { file: 'csv' } } });
    const done = await over(id);
    expect(done).toMatchObject({ settled: 1502, pending: [] });
    expect(done.counts).toEqual({ revoked: 1499, unchanged: 2, invalid: 1, certificates: 1499 });
    expect((await standing(refs.map(({ thumbprint }) => thumbprint))).size).toBe(1500);
    const again = await put(id, body, bulk());
    expect(again).toMatchObject({ status: 202, body: { id, state: 'done', counts: done.counts } });
    expect(await put(id, `${body}\n`, bulk())).toMatchObject({
      status: 409,
      body: { code: 'revocation.job_conflict' },
    });
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
    const unheard = await import('../suite.fixture.js').then(({ vehicle }) => vehicle(suite.fleet, 'job-unheard'));
    suite.caClerk.certificates.push(unheard.certificate);
    const [plain, forced] = [randomUUID(), randomUUID()];
    await put(plain, `serial\n${unheard.ref.serialNumber}\n0badc0de01`);
    expect((await over(plain)).counts).toEqual({ revoked: 1, unknown: 1, certificates: 1 });
    await put(forced, 'serial\n0badc0de01', { query: 'force=true' });
    expect((await over(forced)).counts).toEqual({ revoked: 1 });
    const sql = `SELECT 1 FROM denylist_entries WHERE kind = 'serial' AND value LIKE '%-0badc0de01' AND NOT removed`;
    expect((await admin.query(sql)).rowCount).toBe(1);
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

describe('a wide target', () => {
  it('issuer: takes what the issuer made, and what of it comes to light later', async () => {
    const issuerKeyId = 'ab'.repeat(20);
    const refs = await made('issuer', 3, { issuerKeyId });
    expect(await suite.post('/revoke', { issuer: issuerKeyId })).toMatchObject({
      status: 403,
      body: { code: 'revocation.elevation_required' },
    });
    const dry = await suite.post('/revoke', { issuer: issuerKeyId, reason: 'caCompromise', dry_run: true });
    expect(dry.status).toBe(202);
    expect((await over(dry.body.job.id)).counts).toEqual({ revoked: 3, certificates: 3 });
    expect((await standing(refs.map(({ thumbprint }) => thumbprint))).size).toBe(0);
    const opened = await suite.post('/revoke', { issuer: issuerKeyId, reason: 'caCompromise' }, bulk());
    expect((await over(opened.body.job.id)).counts).toEqual({ revoked: 3, certificates: 3 });
    const [late] = await made('issuer-late', 1, { issuerKeyId });
    const { publishEvent } = await import('../suite.fixture.js');
    const { certificateIssued } = await import('@outrider/contracts');
    const event = { profile: 'vehicle', requestedBy: 'provisioning', ref: late, issuedAt: new Date().toISOString() };
    await publishEvent(ground.ca, certificateIssued, event);
    await until(async () => (await standing([late?.thumbprint ?? ''])).size === 1);
  });

  it('label, and manufacturer with a batch: as provisioning tells them, page by page', async () => {
    const refs = await made('batch', 3);
    const asked: unknown[] = [];
    const responder = ground.provisioning.subscribe(targetsList.subject, {
      callback: (_error, msg) => {
        const { target, after } = msg.json<{ target: { label?: string }; after: string }>();
        asked.push([target, after]);
        const [one, two, three] = refs as [CertificateRef, CertificateRef, CertificateRef];
        const page = target.label
          ? {
              thumbprints: [after === '' ? one.thumbprint : two.thumbprint],
              ...(after === '' ? { next: 'page-2' } : {}),
            }
          : { deviceIds: [three.deviceId] };
        msg.respond(JSON.stringify({ ok: page }));
      },
    });
    const label = await suite.call('POST', JOBS, { label: 'default', reason: 'superseded' }, bulk());
    expect(label).toMatchObject({ status: 202, body: { target: { label: 'default' } } });
    expect((await over(label.body.id)).counts).toEqual({ revoked: 2, certificates: 2 });
    const batch = { manufacturer: 'demo-motors', batch: 'DM-7' };
    const opened = await suite.post('/revoke', { ...batch, reason: 'certificateHold' }, bulk());
    expect((await over(opened.body.job.id)).counts).toEqual({ revoked: 1, certificates: 1, devices: 1 });
    const back = await suite.call('POST', JOBS, { ...batch, action: 'release' }, bulk());
    expect((await over(back.body.id)).counts).toEqual({ released: 1, certificates: 1, devices: 1 });
    expect(asked).toEqual([
      [{ label: 'default' }, ''],
      [{ label: 'default' }, 'page-2'],
      [batch, ''],
      [batch, ''],
    ]);
    responder.unsubscribe();
    expect((await suite.post('/revoke', { batch: 'DM-7' }, bulk())).body.code).toBe('revocation.target_conflict');
    expect((await suite.post('/revoke', { label: 'a', issuer: 'ab'.repeat(20) }, bulk())).status).toBe(409);
  });

  it('waits while nobody can say whom it names, and is cancelled then', async () => {
    const { body } = await suite.call('POST', JOBS, { label: 'nobody-answers', reason: 'superseded' }, bulk());
    await until(async () => (await show(body.id)).body.trouble?.startsWith('service.'));
    const cancelled = await suite.call('POST', `${JOBS}/${body.id}/cancel`);
    expect(cancelled).toMatchObject({
      status: 200,
      body: { state: 'cancelled', finished_by: expect.stringMatching(/^op:/) },
    });
    expect((await suite.call('POST', `${JOBS}/${body.id}/cancel`)).status).toBe(200);
  });

  it('key: a job where more have it than go into one transaction', async () => {
    const keyThumbprint = base64url(32);
    const refs = await made('shared', 501, { keyThumbprint });
    const opened = await suite.post('/revoke', { key: keyThumbprint, reason: 'superseded' });
    expect(opened.status).toBe(202);
    expect((await over(opened.body.job.id)).counts).toEqual({ revoked: 502, certificates: 501, keys: 1 });
    expect((await standing(refs.map(({ thumbprint }) => thumbprint))).size).toBe(501);
  });
});

describe('a schedule', () => {
  const at = (ms: number) => new Date(Date.now() + ms).toISOString();

  it('comes true at its time, of the certificate that was meant, also where it was released meanwhile', async () => {
    const { ref } = await enrolled('later-one');
    const serial = ref.serialNumber;
    await suite.post('/revoke', { serial, reason: 'certificateHold' });
    const planned = await suite.post('/revoke', { serial, reason: 'superseded', at: at(2500) });
    expect(planned).toMatchObject({ status: 202, body: { job: { state: 'waiting', target: { names: { serial } } } } });
    const released = await suite.post('/v1/revocations/release', { serial });
    expect(released.body.waiting).toMatchObject([{ id: planned.body.job.id }]);
    expect((await standing([ref.thumbprint])).size).toBe(0);
    const listed = await suite.call('GET', `${JOBS}?state=waiting`, undefined, { scope: 'device:read' });
    expect(listed.body.items.map(({ id }: { id: string }) => id)).toContain(planned.body.job.id);
    await over(planned.body.job.id);
    expect((await standing([ref.thumbprint])).get(ref.thumbprint)).toBe('superseded');
  });

  it('is cancelled, and survives the service', async () => {
    const [one, two] = [await enrolled('later-two'), await enrolled('later-three')];
    const plan = (ref: CertificateRef, ms: number) =>
      suite.post('/revoke', { thumbprint: ref.thumbprint, reason: 'superseded', at: at(ms) });
    const [first, second] = [await plan(one.ref, 60_000), await plan(two.ref, 500)];
    await suite.app.close();
    suite.app = await suite.startApp();
    const { Listeners } = await import('@outrider/platform/http');
    const { JwksKeys } = await import('@outrider/platform/admission');
    await suite.app.get(Listeners).open();
    await until(() => suite.app.get(JwksKeys).get('test') !== undefined);
    await over(second.body.job.id);
    expect((await standing([two.ref.thumbprint])).size).toBe(1);
    const id = first.body.job.id;
    expect((await suite.call('POST', `${JOBS}/${id}/cancel`)).body).toMatchObject({
      state: 'cancelled',
      counts: { cancelled: 1 },
    });
    expect((await suite.call('POST', `${JOBS}/${second.body.job.id}/cancel`)).body.code).toBe('revocation.job_closed');
    expect((await suite.post('/revoke', { device_id: 'later-two', at: '2099-01-01T00:00:00Z' })).status).toBe(400);
  });
});

describe('the list of revocations', () => {
  it('is told newest first, by what it is asked for, in pages', async () => {
    const { ref } = await enrolled('list-one');
    await suite.post('/revoke', { thumbprint: ref.thumbprint, reason: 'certificateHold' });
    await suite.post('/v1/revocations/release', { thumbprint: ref.thumbprint, note: 'found' });
    await suite.post('/revoke', { thumbprint: ref.thumbprint, reason: 'superseded' });
    const list = (query: string) => suite.call('GET', `/v1/revocations?${query}`, undefined, { scope: 'device:read' });
    const { body } = await list('device_id=list-one&limit=1');
    expect(body.items).toMatchObject([{ reason: 'superseded', thumbprint: ref.thumbprint }]);
    const rest = await list(`device_id=list-one&before=${body.next}`);
    expect(rest.body.items).toMatchObject([
      { reason: 'certificateHold', note: 'found', released_by: expect.any(String) },
    ]);
    expect(rest.body.next).toBeUndefined();
    for (const [query, count] of [
      [`serial=${ref.serialNumber}`, 2],
      [`thumbprint=${ref.thumbprint}&status=released`, 1],
      [`thumbprint=${ref.thumbprint}&status=standing`, 1],
      ['device_id=list-one&reason=keyCompromise', 0],
    ] as const)
      expect((await list(query)).body.items).toHaveLength(count);
  });
});
