/** What policies protect is protected by whatever name it is reached: also by a key, and by who shares one. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Kvm } from '@nats-io/kv';
import { type CertificateRef, denylistKey, POLICIES_BUCKET, POLICIES_KEY } from '@outrider/contracts';
import { JWS_TYP, signJws } from '@outrider/crypto';
import { Policies } from '@outrider/platform/policy';
import { issueService } from '@outrider/testing';
import { type JobGround, startJobs } from '../job/job.fixture.js';
import type { Suite } from '../suite.fixture.js';

const SCHEMA = join(import.meta.dirname, '../../../../policies/schema.cedarschema');
const FORBID = (...actions: string[]) =>
  actions.map(
    (action) => `forbid (principal, action == Outrider::Action::"${action}", resource)
    when { resource == Outrider::Vehicle::"guarded-0" };`,
  );
const FORBIDDEN = { status: 403, body: { code: 'policy.denied' } };

let jobs: JobGround;
let suite: Suite;
let version = 0;

beforeAll(async () => {
  jobs = await startJobs();
  ({ suite } = jobs.ground);
}, 60_000);
afterAll(() => jobs?.stop());

/** In force, as gateway signs them. */
async function inForce(...actions: string[]) {
  version += 1;
  const { certificate, privateKey } = await issueService(suite.fleet, 'gateway');
  const policies = Object.fromEntries(FORBID(...actions).map((text, i) => [`guard-${i}`, text]));
  const schema = readFileSync(SCHEMA, 'utf8');
  const payload = JSON.stringify({ version, schema, policies, issuedAt: new Date().toISOString() });
  const x5c = [Buffer.from(certificate.der).toString('base64')];
  const gateway = await suite.nats.connectAs('gateway');
  const bucket = await new Kvm(gateway).open(POLICIES_BUCKET.name, { bindOnly: true });
  await bucket.put(POLICIES_KEY, signJws({ header: { typ: JWS_TYP.policies, x5c }, payload, key: privateKey }));
  await gateway.close();
  await suite.app.get(Policies).look();
  expect(suite.app.get(Policies).version).toBe(version);
}
/** Two vehicles with one key: the first is what the policies guard. */
async function sharing(): Promise<[CertificateRef, CertificateRef]> {
  const [guarded] = await jobs.made('guarded', 1);
  const { keyThumbprint } = guarded as CertificateRef;
  const [other] = await jobs.made('other', 1, { keyThumbprint });
  return [guarded, other] as [CertificateRef, CertificateRef];
}
const standing = async (refs: readonly CertificateRef[]) =>
  (await jobs.standing(refs.map(({ thumbprint }) => thumbprint))).size;

it('a revocation by key, or of a compromise, asks for every vehicle that it reaches', async () => {
  await inForce('revoke');
  const refs = await sharing();
  const [guarded, other] = refs;
  const key = { key: guarded.keyThumbprint, reason: 'superseded' };
  expect(await suite.post('/revoke', key)).toMatchObject(FORBIDDEN);
  const compromised = { reason: 'keyCompromise' };
  expect(await suite.post('/revoke', { thumbprint: other.thumbprint, ...compromised })).toMatchObject(FORBIDDEN);
  expect(await suite.post('/revoke', { device_id: 'other-0', ...compromised })).toMatchObject(FORBIDDEN);
  expect(await standing(refs)).toBe(0);
  const file = await jobs.put(randomUUID(), `thumbprint\n${other.thumbprint}\n`, { query: 'reason=keyCompromise' });
  expect((await jobs.over(file.body.id)).counts).toEqual({ forbidden: 1 });
  expect(await standing(refs)).toBe(0);
  const alone = { thumbprint: other.thumbprint, reason: 'superseded' };
  expect((await suite.post('/revoke', alone)).status).toBe(200);
  expect(await standing(refs)).toBe(1);
});

it('a job of a key asks again at its turn, of the key itself too', async () => {
  await inForce();
  const refs = await sharing();
  const [{ keyThumbprint }] = refs;
  const at = new Date(Date.now() + 3_600_000).toISOString();
  const { status, body } = await suite.post('/revoke', { key: keyThumbprint, reason: 'superseded', at });
  expect(status).toBe(202);
  await inForce('revoke');
  await jobs.ground.admin.query('UPDATE jobs SET not_before = now() WHERE id = $1', [body.job.id]);
  expect((await jobs.over(body.job.id)).counts).toMatchObject({ forbidden: 2, revoked: 1 });
  expect(jobs.ground.lastOf(denylistKey('key', keyThumbprint))).toBeUndefined();
});

it('a release by key asks likewise', async () => {
  await inForce('unblock');
  const refs = await sharing();
  const [{ keyThumbprint, thumbprint }] = refs;
  expect((await suite.post('/revoke', { thumbprint, reason: 'certificateHold' })).status).toBe(200);
  expect(await suite.post('/v1/revocations/release', { key: keyThumbprint })).toMatchObject(FORBIDDEN);
  expect(await standing(refs)).toBe(1);
  await inForce();
  expect((await suite.post('/v1/revocations/release', { key: keyThumbprint })).status).toBe(200);
  expect(await standing(refs)).toBe(0);
});
