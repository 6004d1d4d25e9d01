import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type CertificateRef, certificateIssued, targetsList } from '@outrider/contracts';
import { JwksKeys } from '@outrider/platform/admission';
import { Listeners } from '@outrider/platform/http';
import { publishEvent, type Suite, until } from '../suite.fixture.js';
import { base64url, bulk, JOBS, type JobGround, startJobs } from './job.fixture.js';

let jobs: JobGround;
let ground: JobGround['ground'];
let suite: Suite;
let enrolled: JobGround['ground']['enrolled'];
let show: JobGround['show'];
let over: JobGround['over'];
let standing: JobGround['standing'];
let made: JobGround['made'];

beforeAll(async () => {
  jobs = await startJobs();
  ({ ground, show, over, standing, made } = jobs);
  ({ suite, enrolled } = ground);
}, 60_000);
afterAll(() => jobs?.stop());

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
    const rest = await list(`device_id=list-one&after=${body.next}`);
    expect(rest.body.items).toMatchObject([
      { reason: 'certificateHold', note: 'found', released_by: expect.any(String) },
    ]);
    expect(rest.body.next).toBeNull();
    for (const [query, count] of [
      [`serial=${ref.serialNumber}`, 2],
      [`thumbprint=${ref.thumbprint}&status=released`, 1],
      [`thumbprint=${ref.thumbprint}&status=standing`, 1],
      ['device_id=list-one&reason=keyCompromise', 0],
    ] as const)
      expect((await list(query)).body.items).toHaveLength(count);
  });
});
