import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { Agent } from '../harness/agent.js';
import { file, inFolder, newDeviceId } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { certificatesOf, newKey, newRequest } from '../harness/openssl.js';
import { outrider, outriderJson } from '../harness/outrider.js';
import { until } from '../harness/until.js';
import { est, type Factory, makeDevice } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);

interface Listed {
  readonly items: readonly { readonly id: string; readonly state: string; readonly csr_sha256: string }[];
}
const waiting = async (id: string) =>
  (await outriderJson<Listed>('enrolment', 'list', '--state', 'pending', '--device', id)).items;
const codeOf = (body: string) => body.split(':', 1)[0];

describe('a label that asks an operator', () => {
  const id = newDeviceId('approve');
  let factory: Factory;
  let body: string;
  let other: string;
  let approved = '';

  beforeAll(async () => {
    factory = await makeDevice(id);
    body = await newRequest(await newKey(`${id}.key`, 'P-256'), `/CN=${id}`);
    other = await newRequest(await newKey(`${id}-2.key`, 'P-256'), `/CN=${id}`);
  });

  test('holds the first request, and a retry of it, as one', async () => {
    for (const _attempt of [1, 2]) {
      const answer = await est('approve/simpleenroll', body, factory);
      expect([answer.status, codeOf(answer.body)]).toEqual([202, 'est.pending']);
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    }
    expect(await waiting(id)).toHaveLength(1);
  });

  test('holds another request of the device by itself', async () => {
    expect((await est('approve/simpleenroll', other, factory)).status).toBe(202);
    const items = await waiting(id);
    expect(items).toHaveLength(2);
    approved = items[1]?.id ?? '';
  });

  test('issues what an operator approved, once, and nothing else', async () => {
    await outriderJson('enrolment', 'approve', approved, '--reason', 'seen at the gate');
    const first = await est('approve/simpleenroll', body, factory);
    expect(first.status).toBe(200);
    const again = await est('approve/simpleenroll', body, factory);
    expect(await certificatesOf(again.body)).toEqual(await certificatesOf(first.body));
    expect((await est('approve/simpleenroll', other, factory)).status).toBe(202);
    const issued = await outriderJson<Listed>('enrolment', 'list', '--state', 'issued', '--device', id);
    expect(issued.items.map((one) => one.id)).toEqual([approved]);
  });

  test('says so when an operator rejects, and wants a reason for it', async () => {
    const [left] = await waiting(id);
    expect((await outrider('enrolment', 'reject', left?.id ?? '')).code).toBe(2);
    await outriderJson('enrolment', 'reject', left?.id ?? '', '--reason', 'not one of ours');
    const answer = await est('approve/simpleenroll', other, factory);
    expect([answer.status, codeOf(answer.body)]).toEqual([403, 'est.approval_rejected']);
    expect(answer.body).toContain('not one of ours');
    expect((await outrider('enrolment', 'approve', left?.id ?? '')).code).toBe(1);
  });

  test('asks nobody for a renewal', async () => {
    const renewed = newDeviceId('approve-renew');
    const own = await makeDevice(renewed);
    const key = await newKey(`${renewed}.key`, 'P-256');
    const request = await newRequest(key, `/CN=${renewed}`);
    await est('approve/simpleenroll', request, own);
    await outriderJson('enrolment', 'approve', (await waiting(renewed))[0]?.id ?? '');
    const answer = await est('approve/simpleenroll', request, own);
    const certificate = file(`${renewed}.crt`, (await certificatesOf(answer.body))[0] ?? '');
    const next = await newRequest(await newKey(`${renewed}-2.key`, 'P-256'), `/CN=${renewed}`);
    expect((await est('approve/simplereenroll', next, { certificate, key })).status).toBe(200);
  });
});

describe('the vehicle agent', () => {
  const id = newDeviceId('approve-agent');
  let agent: Agent;

  beforeAll(async () => {
    const { folder } = await makeDevice(id);
    agent = new Agent(
      'run',
      '--est-label',
      'approve',
      '--state',
      inFolder(`${id}-state`),
      '--factory',
      folder,
      '--count',
      '3',
    );
  });
  afterAll(() => agent?.stop());

  test('waits for the approval with one request, then enrols and drives', async () => {
    await agent.seen('awaiting_approval');
    const [pending, ...more] = await until('it waits', async () => {
      const items = await waiting(id);
      return items.length > 0 ? items : undefined;
    });
    expect(more).toEqual([]);
    await outriderJson('enrolment', 'approve', pending?.id ?? '');
    await agent.seen('enrolled', { withinMs: 30_000 });
    expect(await agent.ended).toBe(0);
  });
});
