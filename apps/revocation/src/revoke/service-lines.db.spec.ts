import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type CertificateRef, certificateIssued, denylistKey } from '@outrider/contracts';
import { issueService } from '@outrider/testing';
import { publishEvent, refOf, until } from '../suite.fixture.js';
import { type Revoking, startRevoking } from './revoke.fixture.js';

let ground: Revoking;

beforeAll(async () => {
  ground = await startRevoking();
}, 60_000);
afterAll(() => ground?.stop());

/** A certificate of a service that fleet-ca tells of; `untold`: it does not. */
async function renewed(from?: CertificateRef, untold?: 'untold'): Promise<CertificateRef> {
  const ref = refOf((await issueService(ground.suite.fleet, 'provisioning')).certificate);
  if (untold) return ref;
  await told(ref, from);
  return ref;
}

async function told(ref: CertificateRef, from?: CertificateRef): Promise<void> {
  await publishEvent(ground.ca, certificateIssued, {
    ...{ profile: 'service-server', requestedBy: 'provisioning', ref, issuedAt: new Date().toISOString() },
    ...(from ? { renewedFrom: from.thumbprint } : {}),
  });
  const known = 'SELECT 1 FROM certificates WHERE thumbprint = $1';
  await until(async () => (await ground.admin.query(known, [ref.thumbprint])).rowCount === 1, 20_000);
}

const reasonOf = (ref: CertificateRef) => ground.lastOf(denylistKey('certificate', ref.thumbprint))?.reason;
const revoke = (body: object) => ground.suite.post('/revoke?wait=enforced', body);

describe('revoking the certificate of a service', () => {
  it('takes all that was renewed from it, down to the last, and what is renewed later; nothing before it or beside it', async () => {
    const first = await renewed();
    const [stolen, beside] = [await renewed(first), await renewed(first)];
    const child = await renewed(stolen);
    const grandchild = await renewed(child);
    const { body } = await revoke({ serial: stolen.serialNumber, reason: 'superseded' });
    const names = body.revoked.map(({ thumbprint }: { thumbprint: string }) => thumbprint);
    expect(names.sort()).toEqual([stolen, child, grandchild].map(({ thumbprint }) => thumbprint).sort());
    expect([stolen, child, grandchild].map(reasonOf)).toEqual(['superseded', 'superseded', 'superseded']);
    const late = await renewed(grandchild);
    await until(() => reasonOf(late) === 'superseded', 20_000);
    expect([first, beside].map(reasonOf)).toEqual([undefined, undefined]);
    const again = await revoke({ serial: stolen.serialNumber, reason: 'superseded' });
    expect(again.body.revoked).toHaveLength(4);
    const { rowCount } = await ground.admin.query('SELECT 1 FROM revocations WHERE thumbprint = $1', [late.thumbprint]);
    expect(rowCount).toBe(1);
  });

  it.each([
    ['serial', ({ serialNumber }: CertificateRef) => ({ serial: serialNumber, reason: 'keyCompromise' })],
    ['key', ({ keyThumbprint }: CertificateRef) => ({ key: keyThumbprint, reason: 'unspecified' })],
  ])('takes it by the %s of the first, with their keys where that one is compromised', async (_, body) => {
    const first = await renewed();
    const child = await renewed(first);
    const wanted = body(first);
    expect((await revoke(wanted)).status).toBe(200);
    expect(reasonOf(child)).toBe(wanted.reason);
    const key = ground.lastOf(denylistKey('key', child.keyThumbprint));
    expect(key !== undefined).toBe(wanted.reason === 'keyCompromise');
  });

  it('leaves what was renewed from it alone where it is held', async () => {
    const first = await renewed();
    const child = await renewed(first);
    await revoke({ thumbprint: first.thumbprint, reason: 'certificateHold' });
    const late = await renewed(first);
    // Behind both: what comes to light later is looked at later.
    const marker = await renewed(await renewed());
    await revoke({ thumbprint: marker.thumbprint, reason: 'superseded' });
    expect([first, child, late, marker].map(reasonOf)).toEqual(['certificateHold', undefined, undefined, 'superseded']);
  });

  it('takes it by force too, where nobody told of the first', async () => {
    const first = await renewed(undefined, 'untold');
    const child = await renewed(first);
    const { status } = await revoke({ thumbprint: first.thumbprint, reason: 'cessationOfOperation', force: true });
    expect([status, reasonOf(child)]).toEqual([200, 'cessationOfOperation']);
    const late = await renewed(child);
    await until(() => reasonOf(late) === 'cessationOfOperation', 20_000);
  });

  it('denies by force the serial number that nobody knows, as the infrastructure CA’s too', async () => {
    const first = await renewed(undefined, 'untold');
    const { serialNumber: serial, issuerKeyId } = first;
    expect((await revoke({ serial, reason: 'keyCompromise', force: true })).status).toBe(200);
    expect(ground.lastOf(denylistKey('serial', `${issuerKeyId}-${serial}`))).toMatchObject({ reason: 'keyCompromise' });
    // And once fleet-ca tells of it, what was renewed from it.
    const child = await renewed(first);
    expect(reasonOf(child)).toBeUndefined();
    await told(first);
    await until(() => reasonOf(child) === 'keyCompromise', 20_000);
  });

  it('takes it where a job names the first', async () => {
    const first = await renewed();
    const child = await renewed(first);
    const path = `/v1/revocations/jobs/${randomUUID()}?reason=superseded`;
    const body = `thumbprint\n${first.thumbprint}`;
    expect((await ground.suite.call('PUT', path, body, { contentType: 'text/csv' })).status).toBeLessThan(300);
    await until(() => reasonOf(child) === 'superseded', 20_000);
  });

  it('is told so before it happens', async () => {
    const first = await renewed();
    await renewed(first);
    const { body } = await ground.suite.post('/revoke', { thumbprint: first.thumbprint, dry_run: true });
    expect(body.dry_run).toMatchObject({ certificates: 2, fresh: 2 });
  });
});
