import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ACR } from '@outrider/admission';
import { newDevice, type Suite, startSuite, until } from '../command.fixture.js';
import { DeliveryService } from '../delivery/delivery.service.js';
import { newOperator, type Operators, openOperators } from '../operator.fixture.js';

const SEND = { scope: 'command:send' };
const ELEVATED = { scope: 'command:send command:send-critical' };

let suite: Suite;
let operators: Operators;

beforeAll(async () => {
  suite = await startSuite();
  operators = await openOperators(suite);
}, 60_000);
afterAll(async () => {
  await operators?.stop();
  await suite?.stop();
});

const key = (value: string = randomUUID()) => ({ 'idempotency-key': value });

describe('sending over HTTP', () => {
  it('answers 100 parallel requests of one key alike, byte for byte', async () => {
    const device = newDevice();
    const ask = { ...SEND, claims: { sub: newOperator() }, body: { name: 'honk' }, headers: key('k') };
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => operators.call('POST', `/v1/vehicles/${device}/commands`, ask)),
    );
    expect(new Set(answers.map(({ status, body }) => `${status} ${JSON.stringify(body)}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(202);
    const list = await operators.call('GET', `/v1/vehicles/${device}/commands`, { scope: 'device:read' });
    expect(list.body.items).toHaveLength(1);
    const other = await operators.call('POST', `/v1/vehicles/${device}/commands`, { ...ask, body: { name: 'locate' } });
    expect([other.status, other.body.code]).toEqual([422, 'command.idempotency_mismatch']);
  });

  it.each([
    ['no key', {}, 'command.idempotency_key_required'],
    ['an empty key', { 'idempotency-key': '' }, 'command.idempotency_key_required'],
    ['a key of 256 characters', key('x'.repeat(256)), 'command.idempotency_key_required'],
  ])('%s is refused', async (_name, headers, code) => {
    const answer = await operators.call('POST', `/v1/vehicles/${newDevice()}/commands`, {
      ...SEND,
      body: { name: 'honk' },
      headers,
    });
    expect([answer.status, answer.body.code]).toEqual([400, code]);
  });

  it('is for whom roles and the catalogue let: partners some, nobody a critical one without an elevation', async () => {
    const ask = async (name: string, scope: string, roles: string[]) => {
      const asked = { scope, claims: { roles }, body: { name }, headers: key() };
      const { status, body } = await operators.call('POST', `/v1/vehicles/${newDevice()}/commands`, asked);
      return [status, body.code];
    };
    expect(await ask('honk', 'device:read', ['viewer'])).toEqual([403, 'auth.scope_insufficient']);
    expect(await ask('honk', 'command:send', ['partner'])).toEqual([202, undefined]);
    expect(await ask('set-interval', 'command:send', ['partner'])).toEqual([403, 'auth.role_insufficient']);
    expect(await ask('unlock', 'command:send', ['fleet-operator'])).toEqual([403, 'auth.scope_insufficient']);
    expect(await ask('unlock', ELEVATED.scope, ['fleet-operator'])).toEqual([202, undefined]);
  });

  it('tells the catalogue', async () => {
    const { body } = await operators.call('GET', '/v1/command-kinds', SEND);
    expect(body.items.map(({ name }: { name: string }) => name)).toContain('remote-start');
  });
});

describe('a batch over HTTP', () => {
  it('above the cap needs two factors, just shown, and the right to approve', async () => {
    const devices = Array.from({ length: 6 }, newDevice);
    const asked = { ...SEND, claims: { sub: suite.people.ann }, body: { name: 'honk', target: { devices } } };
    const made = await operators.call('POST', '/v1/command-batches', { ...asked, headers: key() });
    expect([made.status, made.body.state]).toEqual([202, 'awaiting_approval']);
    const now = Math.floor(Date.now() / 1000);
    const approve = async (scope: string, claims: object) => {
      const path = `/v1/command-batches/${made.body.id}/approve`;
      const { status, body } = await operators.call('POST', path, { scope, claims });
      return [status, body.code ?? body.state];
    };
    const fresh = { acr: ACR.mfa, auth_time: now };
    const ben = { sub: suite.people.ben };
    expect(await approve('command:send', { ...ben, ...fresh })).toEqual([403, 'auth.scope_insufficient']);
    expect(await approve('elevation:approve', ben)).toEqual([401, 'auth.step_up_required']);
    const old = { ...ben, acr: ACR.mfa, auth_time: now - 400 };
    expect(await approve('elevation:approve', old)).toEqual([401, 'auth.step_up_required']);
    const annToo = { sub: suite.people.annToo, ...fresh };
    expect(await approve('elevation:approve', annToo)).toEqual([403, 'command.batch_same_person']);
    expect(await approve('elevation:approve', { ...ben, ...fresh })).toEqual([200, 'running']);
    const read = { scope: 'device:read' };
    const show = () => operators.call('GET', `/v1/command-batches/${made.body.id}`, read);
    await until(async () => (await show()).body.state === 'done', 20_000);
    expect((await show()).body).toMatchObject({
      target: { devices: 6 },
      devices: { sent: 6 },
      commands: { queued: 6 },
      history: [{ state: 'awaiting_approval' }, { state: 'running', who: suite.people.ben }, { state: 'done' }],
    });
    const page = await operators.call('GET', `/v1/command-batches/${made.body.id}/devices?limit=4`, read);
    expect(page.body.items).toHaveLength(4);
    const rest = await operators.call(
      'GET',
      `/v1/command-batches/${made.body.id}/devices?limit=4&after=${page.body.next}`,
      read,
    );
    expect(rest.body.items).toHaveLength(2);
  });

  it('that nobody knows is not found', async () => {
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/devices'],
      ['POST', '/cancel'],
    ] as const) {
      const scope = method === 'GET' ? 'device:read' : 'command:send';
      const answer = await operators.call(method, `/v1/command-batches/${randomUUID()}${path}`, { scope });
      expect([answer.status, answer.body.code]).toEqual([404, 'command.batch_not_found']);
    }
  });
});

it('an audit says by whose token and elevation, by which policies, and what was signed', async () => {
  const device = newDevice();
  const elevation = randomUUID();
  const claims = { sub: newOperator(), elevation, acr: ACR.mfa, amr: ['pwd', 'otp'], roles: ['fleet-operator'] };
  const sent = await operators.call('POST', `/v1/vehicles/${device}/commands`, {
    ...ELEVATED,
    claims,
    body: { name: 'honk' },
    headers: key(),
  });
  await suite.deliver(device);
  const path = `/v1/commands/${sent.body.id}/audit`;
  expect((await operators.call('GET', path, { scope: 'device:read' })).status).toBe(403);
  const { body } = await operators.call('GET', path, { scope: 'evidence:read' });
  expect(body).toMatchObject({
    command: { id: sent.body.id, state: 'released' },
    steps: [
      {
        state: 'queued',
        policies: ['dispatch-by-operators'],
        evidence: { operator: claims.sub, elevation, acr: ACR.mfa, amr: ['pwd', 'otp'], client: 'test' },
      },
      { state: 'released', policies: ['dispatch-by-operators'] },
    ],
    signed_command: { epoch: 1, counter: 1 },
  });
  expect(body.steps[0].evidence.token).toEqual(expect.any(String));
  expect(body.signed_command.jws.split('.')).toHaveLength(3);
  expect(body.signed_command.signer.thumbprint).toMatch(/^[\w-]{43}$/);
  const other = newDevice();
  const compact = await suite.send(other, { name: 'honk' });
  await suite.app.get(DeliveryService).ask({ deviceId: other, mayCritical: true, form: 'cose' });
  const asCose = await operators.call('GET', `/v1/commands/${compact.id}/audit`, { scope: 'evidence:read' });
  expect(asCose.body.signed_command).toMatchObject({
    cose: expect.any(String),
    signer: body.signed_command.signer,
    counter: 1,
  });
  const missing = await operators.call('GET', `/v1/commands/${randomUUID()}/audit`, { scope: 'evidence:read' });
  expect([missing.status, missing.body.code]).toEqual([404, 'command.not_found']);
});
