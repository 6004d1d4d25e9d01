import { randomUUID } from 'node:crypto';
import https from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Denylist, type DenylistEntry } from '@outrider/admission';
import { DENYLIST_BUCKET, DENYLIST_HEARTBEAT_KEY, type Decision, denylistKey, jwksGet } from '@outrider/contracts';
import { DeviceId, InstanceId } from '@outrider/ids';
import {
  createTestDatabase,
  createTestFleet,
  issueVehicle,
  type Party,
  startNats,
  type TestDatabase,
  type TestFleet,
  type TestNats,
  testServiceConfig,
} from '@outrider/testing';
import { Listeners } from '../http/listeners.service.js';
import { migrate } from '../postgres/index.js';
import { createApplication } from '../service/boot.provider.js';
import { serviceConfig } from '../service/config.js';
import { createLogger } from '../service/logger.provider.js';
import {
  claims,
  hs256,
  jwk,
  now,
  OPERATOR,
  operatorClaims,
  part,
  sign,
  signer,
  stranger,
} from './access-token.fixture.js';
import { type Answer, type Ask, askAt } from './ask.fixture.js';
import { readDecisions } from './decision-log.fixture.js';
import { DenylistFeed } from './denylist-feed.client.js';
import { ProbeModule } from './probe.fixture.js';

const A = DeviceId.parse('device-a');
const B = DeviceId.parse('device-b');
let fleet: TestFleet;
let database: TestDatabase;
let nats: TestNats;
let app: NestFastifyApplication;
let writer: NatsConnection;
let gateway: NatsConnection;
let bucket: KV;
let a: Party;
let b: Party;
let port: { vehicle: number; operator: number; http: number };
let beating: NodeJS.Timeout;
const list = new Denylist();
const decisions: Decision[] = [];

const parts = async () => {
  const { config } = await testServiceConfig('telemetry', { fleet, database, nats });
  const parsed = serviceConfig({}).parse(config);
  const instance = InstanceId.parse('telemetry-00000001');
  const logger = createLogger('telemetry', instance, parsed.logLevel);
  return { service: 'telemetry' as const, instance, config: parsed, logger };
};

beforeAll(async () => {
  [fleet, database, nats] = await Promise.all([createTestFleet(), createTestDatabase('telemetry'), startNats()]);
  [a, b] = await Promise.all([issueVehicle(fleet, A), issueVehicle(fleet, B)]);
  writer = await nats.connectAs('revocation');
  bucket = await new Kvm(writer).open(DENYLIST_BUCKET.name, { bindOnly: true });
  const token = await nats.connectAs('token');
  token.subscribe(jwksGet.subject, {
    callback: (_error, msg) => void msg.respond(JSON.stringify({ ok: { keys: [jwk] } })),
  });
  gateway = await nats.connectAs('gateway');
  const runtime = await parts();
  await migrate(runtime.config, [], runtime.logger);
  app = await createApplication({ module: ProbeModule, entities: [] }, runtime);
  await app.get(Listeners).open();
  const { vehicle, operator, http } = runtime.config.listeners;
  port = { vehicle: vehicle!.port, operator: operator!.port, http: http.port };
  beating = setInterval(() => void beat().catch(() => undefined), 200);
  await until(() => app.get(DenylistFeed).freshness() === 'fresh');
}, 60_000);

afterAll(async () => {
  clearInterval(beating);
  await app?.close();
  await Promise.all([writer?.close(), gateway?.close()]);
  await nats?.stop();
  await database?.drop();
});

async function until(condition: () => boolean | Promise<boolean>, ms = 8000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function beat(): Promise<number> {
  const { sequence, count, digest } = list;
  return bucket.put(DENYLIST_HEARTBEAT_KEY, JSON.stringify({ generation: 1, sequence, count, digest }));
}

async function deny(entry: Pick<DenylistEntry, 'kind' | 'value'> & Partial<DenylistEntry>): Promise<void> {
  const record: DenylistEntry = { mode: 'deny', reason: 'test', sequence: list.sequence + 1, ...entry };
  list.apply(record);
  await bucket.put(denylistKey(record.kind, record.value), JSON.stringify(record));
}

const ask = (path: string, asked: Ask = {}): Promise<Answer> => askAt(fleet, port, path, asked);
const code = ({ body }: Answer) => (JSON.parse(body) as { code: string }).code;

describe('a vehicle', () => {
  it('is admitted with its certificate and the token bound to it, and named to the route', async () => {
    const answer = await ask('/token', { party: a, token: sign(claims(a, A)) });
    expect(answer).toMatchObject({ status: 200, body: '{"deviceId":"device-a"}' });
    expect((await ask('/certificate', { party: a })).status).toBe(200);
    expect((await ask('/anyone')).status).toBe(200);
  });

  it.each<[string, () => Ask, number, string, string]>([
    ['no certificate (attack 10)', () => ({ token: sign(claims(a, A)) }), 401, 'tls.certificate_required', 'Bearer'],
    [
      "another vehicle's connection (attack 9)",
      () => ({ party: b, token: sign(claims(a, A)) }),
      401,
      'auth.token_binding_mismatch',
      'invalid_token',
    ],
    [
      'a token from before its certificate was renewed',
      () => ({ party: a, token: sign(claims(a, A, { cnf: { 'x5t#S256': b.certificate.thumbprint } })) }),
      401,
      'auth.token_superseded',
      'invalid_token',
    ],
    [
      'a token for another device (attack 8)',
      () => ({ party: a, token: sign(claims(a, B)) }),
      403,
      'auth.wrong_device',
      '',
    ],
    ['no token', () => ({ party: a }), 401, 'auth.token_missing', 'scope="telemetry:write"'],
    [
      'an expired token',
      () => ({ party: a, token: sign(claims(a, A, { iat: now() - 60, exp: now() })) }),
      401,
      'auth.token_expired',
      'invalid_token',
    ],
    [
      'another audience',
      () => ({ party: a, token: sign(claims(a, A, { aud: 'urn:outrider:command' })) }),
      401,
      'auth.token_invalid',
      'invalid_token',
    ],
    [
      'another scope',
      () => ({ party: a, token: sign(claims(a, A, { scope: 'telemetry:backfill' })) }),
      403,
      'auth.scope_insufficient',
      'insufficient_scope',
    ],
    [
      "a stranger's key",
      () => ({ party: a, token: sign(claims(a, A), stranger.privateKey) }),
      401,
      'auth.token_invalid',
      'invalid_token',
    ],
    [
      'an unknown kid',
      () => ({ party: a, token: sign(claims(a, A), signer.privateKey, { kid: 'other' }) }),
      401,
      'auth.token_invalid',
      'invalid_token',
    ],
    [
      "an operator's token",
      () => ({ party: a, token: sign(operatorClaims()) }),
      401,
      'auth.token_invalid',
      'invalid_token',
    ],
    [
      'alg none (attack 13)',
      () => ({ party: a, token: `${part({ alg: 'none', typ: 'at+jwt', kid: 'key-1' })}.${part(claims(a, A))}.` }),
      401,
      'auth.token_invalid',
      'invalid_token',
    ],
    [
      'HS256 keyed with the public key (attack 13)',
      () => ({ party: a, token: hs256(claims(a, A)) }),
      401,
      'auth.token_invalid',
      'invalid_token',
    ],
  ])('is refused with %s', async (_name, request, status, expected, challenge) => {
    const answer = await ask('/token', request());
    expect({ status: answer.status, code: code(answer) }).toEqual({ status, code: expected });
    if (challenge) expect(answer.headers['www-authenticate']).toContain(challenge);
  });

  it('is refused with a certificate of another CA', async () => {
    const other = await createTestFleet();
    expect(code(await ask('/certificate', { party: await issueVehicle(other, A) }))).toBe('tls.certificate_invalid');
  });

  it('is refused a token in the query, beside a good one too', async () => {
    const token = sign(claims(a, A));
    for (const request of [{ party: a }, { party: a, token }]) {
      const answer = await ask(`/token?access_token=${token}`, request);
      expect({ status: answer.status, code: code(answer) }).toEqual({ status: 400, code: 'auth.token_in_query' });
      expect(answer.headers['www-authenticate']).toContain('error="invalid_request"');
    }
  });

  it('learns without a certificate which tokens this resource takes, and each challenge says where (RFC 9728)', async () => {
    const resource = `https://127.0.0.1:${port.vehicle}`;
    const answer = await ask('/.well-known/oauth-protected-resource');
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toEqual({
      resource,
      authorization_servers: ['https://127.0.0.1:8442'],
      scopes_supported: ['telemetry:write'],
      bearer_methods_supported: ['header'],
      tls_client_certificate_bound_access_tokens: true,
      outrider_audience: 'urn:outrider:telemetry',
    });
    for (const request of [{}, { party: a }, { party: a, token: 'x' }]) {
      const { status, headers } = await ask('/token', request);
      expect(status).toBe(401);
      expect(headers['www-authenticate']).toContain(
        `resource_metadata="${resource}/.well-known/oauth-protected-resource"`,
      );
    }
  });

  it('may have a clock 10 s behind the issuer, not 60 s; what has ended has no grace', async () => {
    const at = (iat: number, exp: number) =>
      sign(claims(a, A, { iat: now() + iat, nbf: now() + iat, exp: now() + exp }));
    expect((await ask('/token', { party: a, token: at(9, 120) })).status).toBe(200);
    expect(code(await ask('/token', { party: a, token: at(60, 120) }))).toBe('auth.token_invalid');
    expect(code(await ask('/token', { party: a, token: at(-60, 0) }))).toBe('auth.token_expired');
  });

  it("is refused another device's path", async () => {
    const token = sign(claims(a, A));
    expect((await ask('/devices/device-a', { party: a, token })).status).toBe(200);
    expect(code(await ask('/devices/device-b', { party: a, token }))).toBe('auth.wrong_device');
  });

  it('gains nothing by a Client-Cert header, which is counted (attack 22)', async () => {
    const headers = {
      'client-cert': `:${Buffer.from(b.certificate.der).toString('base64')}:`,
      'x-forwarded-client-cert': 'Hash=00',
    };
    expect(code(await ask('/certificate', { headers }))).toBe('tls.certificate_required');
    const metrics = await (await fetch(`http://127.0.0.1:${port.http}/metrics`)).text();
    expect(metrics).toMatch(/outrider_client_cert_headers_ignored_total\{[^}]*header="client-cert"[^}]*\} 1/);
  });
});

describe('an operator', () => {
  it('is admitted by a bearer token with the scope', async () => {
    const answer = await ask('/fleet', { listener: 'operator', token: sign(operatorClaims()) });
    expect(answer).toMatchObject({ status: 200, body: JSON.stringify({ subject: OPERATOR }) });
  });

  it.each<[string, () => string | undefined, number, string]>([
    ['no token', () => undefined, 401, 'auth.token_missing'],
    ["a device's token (attack 25)", () => sign(claims(a, A)), 401, 'auth.token_invalid'],
    [
      'an expired token (attack 25)',
      () => sign(operatorClaims({ iat: now() - 60, exp: now() - 1 })),
      401,
      'auth.token_expired',
    ],
    [
      'another scope (attack 25)',
      () => sign(operatorClaims({ scope: 'evidence:read' })),
      403,
      'auth.scope_insufficient',
    ],
  ])('is refused with %s', async (_name, token, status, expected) => {
    const presented = token();
    const answer = await ask('/fleet', { listener: 'operator', ...(presented ? { token: presented } : {}) });
    expect({ status: answer.status, code: code(answer) }).toEqual({ status, code: expected });
  });
});

describe('a new denylist entry', () => {
  it.each(['certificate', 'key', 'device'] as const)(
    'closes the live connection and refuses the %s (attack 14)',
    async (kind) => {
      const device = DeviceId.parse(`stolen-${kind}`);
      const party = await issueVehicle(fleet, device);
      const { thumbprint, keyThumbprint } = party.certificate;
      const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
      const token = sign(claims(party, device));
      expect((await ask('/token', { party, token, agent })).status).toBe(200);
      const socket = Object.values(agent.freeSockets)[0]![0]!;
      const closed = new Promise<number>((resolve) => socket.once('close', () => resolve(performance.now())));
      const startMs = performance.now();
      await deny({ kind, value: { certificate: thumbprint, key: keyThumbprint, device: device as string }[kind] });
      expect((await closed) - startMs).toBeLessThan(1000);
      const answer = await ask('/token', { party, token });
      expect({ status: answer.status, code: code(answer) }).toEqual({ status: 403, code: `denylist.${kind}` });
      expect((await ask('/token', { party: a, token: sign(claims(a, A)) })).status).toBe(200);
      agent.destroy();
    },
  );

  it('leaves a device in recovery mode the routes marked so', async () => {
    const device = DeviceId.parse('quarantined');
    const party = await issueVehicle(fleet, device);
    const token = sign(claims(party, device));
    await deny({ kind: 'device', value: device, mode: 'recovery' });
    await until(() => app.get(DenylistFeed).match({ deviceId: device }) !== undefined);
    expect(await ask('/devices/quarantined', { party, token })).toMatchObject({
      status: 200,
      body: '{"deviceId":"quarantined","recovery":true}',
    });
    expect(code(await ask('/token', { party, token }))).toBe('denylist.device');
  });

  it("ends an operator's token", async () => {
    const jti = randomUUID();
    const token = sign(operatorClaims({ jti }));
    expect((await ask('/fleet', { listener: 'operator', token })).status).toBe(200);
    await deny({ kind: 'token', value: jti });
    await until(async () => (await ask('/fleet', { listener: 'operator', token })).status === 401);
  });
});

describe('a request that waits', () => {
  it('ends when its token is withdrawn, which closes no connection', async () => {
    const jti = randomUUID();
    const waiting = ask('/waits', { party: a, token: sign(claims(a, A, { jti })) });
    await deny({ kind: 'token', value: jti });
    const answer = await waiting;
    expect({ status: answer.status, code: code(answer) }).toEqual({ status: 401, code: 'denylist.token' });
  });

  it('ends with its token', async () => {
    const answer = await ask('/waits', { party: a, token: sign(claims(a, A, { exp: now() + 2 })) });
    expect({ status: answer.status, code: code(answer) }).toEqual({ status: 401, code: 'auth.token_expired' });
  });

  it('ends when the feed grows too old for control', async () => {
    const waiting = ask('/waits', { party: a, token: sign(claims(a, A)) });
    clearInterval(beating);
    const answer = await waiting;
    beating = setInterval(() => void beat().catch(() => undefined), 200);
    expect({ status: answer.status, code: code(answer) }).toEqual({ status: 503, code: 'revocation.stale' });
    await until(() => app.get(DenylistFeed).freshness() === 'fresh');
  }, 20_000);
});

it('reports each first deny to the decision log, with its code', async () => {
  await until(async () => {
    decisions.push(...(await readDecisions(gateway, 'telemetry')));
    return ['denylist.key', 'auth.token_binding_mismatch', 'auth.client_cert_header_ignored'].every((wanted) =>
      decisions.some((decision) => decision.code === wanted),
    );
  });
  expect(decisions).toContainEqual(
    expect.objectContaining({ decision: 'deny', code: 'denylist.certificate', deviceId: 'stolen-certificate' }),
  );
});
