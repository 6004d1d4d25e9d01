import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type KV, Kvm } from '@nats-io/kv';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Denylist, type DenylistEntry } from '@outrider/admission';
import { DENYLIST_BUCKET, DENYLIST_HEARTBEAT_KEY, denylistKey } from '@outrider/contracts';
import { sha256Base64url } from '@outrider/crypto';
import { DeviceId, InstanceId } from '@outrider/ids';
import {
  createTestFleet,
  issueService,
  issueVehicle,
  type Party,
  startGround,
  startTokenService,
  type TestGround,
  type TestTokenService,
  TRUST_DOMAIN,
  until,
} from '@outrider/testing';
import { Listeners } from '../http/listeners.service.js';
import { Database, migrate } from '../postgres/index.js';
import { createApplication } from '../service/boot.provider.js';
import { serviceConfig } from '../service/config.js';
import { createLogger } from '../service/logger.provider.js';
import { DenylistFeed } from './denylist-feed.client.js';
import { DpopProofRepository } from './dpop-proof.repository.js';
import { dpopKeyOf, type Edge, type Forwarding, get, startEdge } from './edge.fixture.js';
import { JwksKeys } from './jwks.client.js';
import { ProbeModule } from './probe.fixture.js';

const A = DeviceId.parse('device-a');
const B = DeviceId.parse('device-b');
const key = dpopKeyOf();
const edges: Edge[] = [];
const list = new Denylist();
let ground: TestGround;
let token: TestTokenService;
let app: NestFastifyApplication;
let bucket: KV;
let beating: NodeJS.Timeout;
let [a, b, proxy, named, stranger]: Party[] = [];
let port: { vehicle: number; http: number };
let edge: Edge;
let publicUrl: string;

beforeAll(async () => {
  ground = await startGround('telemetry');
  const { fleet, nats, config: common, directory } = ground;
  [a, b, proxy, named, stranger] = await Promise.all([
    issueVehicle(fleet, A),
    issueVehicle(fleet, B),
    issueService(fleet, 'edge-1'),
    issueService(fleet, 'edge-2'),
    issueService(fleet, 'telemetry'),
  ]);
  const nonceKeyFile = join(directory, 'dpop-nonce');
  writeFileSync(nonceKeyFile, randomBytes(32).toString('hex'));
  publicUrl = 'https://edge.example.com';
  const vehicle = {
    ...common.listeners.vehicle,
    trustedProxies: [`spiffe://${TRUST_DOMAIN}/service/edge-1`, named.certificate.thumbprint],
    dpop: { nonceKeyFile, publicUrls: [publicUrl, `https://127.0.0.1:${common.listeners.vehicle.port}`] },
  };
  const config = serviceConfig({}).parse({ ...common, listeners: { ...common.listeners, vehicle } });
  const instance = InstanceId.parse('telemetry-00000001');
  const runtime = {
    service: 'telemetry' as const,
    instance,
    config,
    logger: createLogger('telemetry', instance, config.logLevel),
  };
  await migrate(config, [], runtime.logger);
  app = await createApplication({ module: ProbeModule, entities: [] }, runtime);
  await app.get(Listeners).open();
  port = { vehicle: common.listeners.vehicle.port, http: common.listeners.http.port };
  bucket = await new Kvm(await nats.connectAs('revocation')).open(DENYLIST_BUCKET.name, { bindOnly: true });
  token = await startTokenService(nats, config.tokenIssuer);
  beating = setInterval(() => void beat().catch(() => undefined), 200);
  await until(() => app.get(DenylistFeed).freshness() === 'fresh' && app.get(JwksKeys).get(token.keyId) !== undefined);
  edge = await through(proxy!, 'rfc9440');
}, 60_000);

afterAll(async () => {
  clearInterval(beating);
  await Promise.all(edges.map((one) => one.close()));
  await app?.close();
  await token?.stop();
  await ground?.stop();
});

async function through(party: Party, forwarding: Forwarding): Promise<Edge> {
  const made = await startEdge(ground.fleet, party, port.vehicle, forwarding);
  edges.push(made);
  return made;
}

function beat(): Promise<number> {
  const { sequence, count, digest } = list;
  return bucket.put(DENYLIST_HEARTBEAT_KEY, JSON.stringify({ generation: 1, sequence, count, digest }));
}

async function deny(entry: Pick<DenylistEntry, 'kind' | 'value'>): Promise<void> {
  const record: DenylistEntry = { mode: 'deny', reason: 'test', sequence: list.sequence + 1, ...entry };
  list.apply(record);
  await bucket.put(denylistKey(record.kind, record.value), JSON.stringify(record));
}

const claims = (party: Party, device: DeviceId, more: object = {}) => ({
  sub: device,
  client_id: device,
  aud: 'urn:outrider:telemetry',
  scope: 'telemetry:write',
  cnf: { 'x5t#S256': party.certificate.thumbprint, ...more },
});
const bearer = (value: string) => ({ authorization: `Bearer ${value}` });
const ask = (at: number, path: string, party?: Party, headers?: Record<string, string>) =>
  get(at, path, { fleet: ground.fleet, party, ...(headers ? { headers } : {}) });

/** With a proof, asked again once with the nonce of the first answer, as RFC 9449 §8 has it. */
async function askProven(at: number, path: string, party: Party, compact: string, changed: object = {}, by = key) {
  let nonce: unknown = {};
  const once = () => {
    const proven = { htm: 'GET', htu: `${publicUrl}${path}`, ath: sha256Base64url(compact), ...(nonce as object) };
    return ask(at, path, party, { authorization: `DPoP ${compact}`, dpop: by.prove({ ...proven, ...changed }) });
  };
  const first = await once();
  expect({ status: first.status, code: first.body?.code }).toEqual({ status: 401, code: 'auth.dpop_nonce' });
  expect(first.headers['www-authenticate']).toMatch(/^DPoP .*error="use_dpop_nonce".*algs="ES256 ES384 EdDSA"$/);
  nonce = { nonce: first.headers['dpop-nonce'] };
  return once();
}

describe('a vehicle behind a configured proxy', () => {
  it.each<[string, Forwarding]>([
    ['RFC 9440', 'rfc9440'],
    ["Envoy's header", 'xfcc'],
    [
      'the certificate and its chain',
      (der) => ({
        'client-cert': `:${der.toString('base64')}:`,
        'client-cert-chain': `:${Buffer.from(ground.fleet.vehicleCa.certificate.der).toString('base64')}:`,
      }),
    ],
  ])('is who its certificate says, by %s', async (_name, forwarding) => {
    const { port: at } = await through(proxy!, forwarding);
    expect(await ask(at, '/token', a, bearer(token.accessToken(claims(a!, A))))).toMatchObject({
      status: 200,
      body: { deviceId: A },
    });
    expect((await ask(at, '/certificate', a)).status).toBe(200);
  });

  it('is nobody without a certificate, whatever it writes itself', async () => {
    const forged = { 'client-cert': `:${Buffer.from(a!.certificate.der).toString('base64')}:` };
    expect((await ask(edge.port, '/certificate')).body?.code).toBe('tls.certificate_required');
    const forwardsNothing = await through(proxy!, () => ({}));
    expect((await ask(forwardsNothing.port, '/certificate', a)).body?.code).toBe('tls.certificate_required');
    expect((await ask(edge.port, '/certificate', b, forged)).status).toBe(200);
    expect(
      (await ask(edge.port, '/token', b, { ...forged, ...bearer(token.accessToken(claims(a!, A))) })).body?.code,
    ).toBe('auth.token_binding_mismatch');
  });

  it('is refused with a certificate of another CA, and with an expired one', async () => {
    const old = { notBefore: new Date(Date.now() - 7_200_000), notAfter: new Date(Date.now() - 3_600_000) };
    const expired = await issueVehicle(ground.fleet, A, old);
    const foreign = await issueVehicle(await createTestFleet(), A);
    expect((await ask(edge.port, '/certificate', foreign)).body?.code).toBe('tls.certificate_invalid');
    expect((await ask(edge.port, '/certificate', expired)).status).toBe(401);
  });

  it.each<[string, (der: Buffer) => Record<string, string>]>([
    [
      'two elements',
      (der) => ({
        'client-cert': Array(2)
          .fill(`:${der.toString('base64')}:`)
          .join(', '),
      }),
    ],
    ['no byte sequence', (der) => ({ 'client-cert': der.toString('base64') })],
    ['what is no certificate', () => ({ 'client-cert': ':AAAA:' })],
  ])('is refused where the proxy forwards %s', async (_name, forwarding) => {
    const { port: at } = await through(proxy!, forwarding);
    const answer = await ask(at, '/certificate', a);
    expect({ status: answer.status, code: answer.body?.code }).toEqual({
      status: 400,
      code: 'auth.forwarded_certificate_invalid',
    });
  });

  it('is believed of a proxy that is named by its thumbprint, and of no other with a name like a proxy', async () => {
    expect((await ask((await through(named!, 'rfc9440')).port, '/certificate', a)).status).toBe(200);
    const renewed = await through(await issueService(ground.fleet, 'edge-2'), 'rfc9440');
    expect((await ask(renewed.port, '/certificate', a)).body?.code).toBe('tls.certificate_invalid');
    const foreign = await through(await issueService(await createTestFleet(), 'edge-1'), 'rfc9440');
    expect((await ask(foreign.port, '/certificate', a)).body?.code).toBe('tls.certificate_invalid');
  });

  it('is not believed of a service that is no configured proxy, nor of a vehicle (attack 22)', async () => {
    const asService = await through(stranger!, 'rfc9440');
    expect((await ask(asService.port, '/certificate', a)).body?.code).toBe('tls.certificate_invalid');
    const asVehicle = await through(b!, 'rfc9440');
    const answer = await ask(asVehicle.port, '/token', a, bearer(token.accessToken(claims(a!, A))));
    expect(answer.body?.code).toBe('auth.token_binding_mismatch');
  });

  it('needs a key of its own for control', async () => {
    const bound = token.accessToken(claims(a!, A));
    const answer = await ask(edge.port, '/waits', a, bearer(bound));
    expect({ status: answer.status, code: answer.body?.code }).toEqual({ status: 401, code: 'auth.dpop_required' });
    expect(answer.headers['www-authenticate']).toMatch(/^DPoP /);
  });
});

describe('a token bound to a key', () => {
  const bound = () => token.accessToken(claims(a!, A, { jkt: key.jkt }));

  it('is taken with a proof, directly and through the proxy, once each', async () => {
    const compact = bound();
    const jti = 'b'.repeat(32);
    expect(await askProven(edge.port, '/token', a!, compact, { jti })).toMatchObject({ status: 200 });
    const again = await askProven(edge.port, '/token', a!, compact, { jti });
    expect({ status: again.status, code: again.body?.code }).toEqual({ status: 401, code: 'auth.dpop_replayed' });
    expect(again.headers['www-authenticate']).toContain('error="invalid_dpop_proof"');
    const htu = `https://127.0.0.1:${port.vehicle}/token`;
    expect(await askProven(port.vehicle, '/token', a!, compact, { jti, htu })).toMatchObject({ status: 200 });
  });

  it('is taken once by all replicas, of many at the same moment', async () => {
    const used = app.get(DpopProofRepository);
    const proof = { replayKey: randomBytes(32).toString('base64url'), untilSeconds: Date.now() / 1000 + 60 };
    const all = await Promise.all(Array.from({ length: 20 }, () => used.use(proof)));
    expect(all.filter((first) => first)).toHaveLength(1);
  });

  it('leaves nothing behind of what is refused, and what was used is purged in time', async () => {
    const database = app.get(Database);
    const count = async () =>
      Number((await database.query<{ n: string }>('SELECT count(*) AS n FROM dpop_proofs'))[0]!.n);
    const before = await count();
    const compact = bound();
    expect((await askProven(edge.port, '/devices/device-b', a!, compact)).body?.code).toBe('auth.wrong_device');
    expect(await askProven(edge.port, '/token', b!, compact).catch(() => undefined)).toBeUndefined();
    expect(await count()).toBe(before);
    await app.get(DpopProofRepository).use({ replayKey: 'old', untilSeconds: Date.now() / 1000 - 3600 });
    await app.get(DpopProofRepository).purge();
    expect(await count()).toBe(before);
  });

  it.each<[string, object, string]>([
    ['of another URL', { htu: 'https://edge.example.com/elsewhere' }, 'auth.dpop_invalid'],
    ['of another method', { htm: 'POST' }, 'auth.dpop_invalid'],
    ['of another token', { ath: sha256Base64url('x') }, 'auth.dpop_invalid'],
  ])('is refused with a proof %s', async (_name, changed, code) => {
    const compact = bound();
    const proven = { htm: 'GET', htu: `${publicUrl}/token`, ath: sha256Base64url(compact), ...changed };
    const headers = { authorization: `DPoP ${compact}`, dpop: key.prove(proven) };
    expect((await ask(edge.port, '/token', a, headers)).body?.code).toBe(code);
  });

  it('is refused as a bearer token, with the key of another, and over another certificate (attacks 9, 10)', async () => {
    const compact = bound();
    expect((await ask(port.vehicle, '/token', a, bearer(compact))).body?.code).toBe('auth.dpop_required');
    const other = await askProven(edge.port, '/token', a!, compact, {}, dpopKeyOf());
    expect(other.body?.code).toBe('auth.token_binding_mismatch');
    const headers = { authorization: `DPoP ${compact}`, dpop: key.prove({}) };
    expect((await ask(edge.port, '/token', b, headers)).body?.code).toBe('auth.token_binding_mismatch');
    expect((await ask(edge.port, '/token', undefined, headers)).body?.code).toBe('tls.certificate_required');
  });

  it('is the only one that the DPoP scheme takes', async () => {
    const headers = { authorization: `DPoP ${token.accessToken(claims(a!, A))}`, dpop: key.prove({}) };
    expect((await ask(edge.port, '/token', a, headers)).body?.code).toBe('auth.token_binding_mismatch');
  });

  it('is refused while nobody knows which proofs were used', async () => {
    const admin = await ground.database.admin();
    await admin.query('ALTER TABLE dpop_proofs RENAME TO away');
    const answer = await askProven(edge.port, '/token', a!, bound()).finally(async () => {
      await admin.query('ALTER TABLE away RENAME TO dpop_proofs');
      await admin.end();
    });
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect(await askProven(edge.port, '/token', a!, bound())).toMatchObject({ status: 200 });
  });
});

describe('a revocation behind a proxy', () => {
  it("ends that vehicle's request, and neither the proxy's connection nor its neighbours' requests", async () => {
    const device = DeviceId.parse('stolen-behind-proxy');
    const party = await issueVehicle(ground.fleet, device);
    const bound = token.accessToken(claims(party, device, { jkt: key.jkt }));
    const waiting = askProven(edge.port, '/waits', party, bound);
    const neighbours = token.accessToken(claims(a!, A));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await ask(edge.port, '/token', a, bearer(neighbours))).status).toBe(200);
    const before = edge.connections();
    await deny({ kind: 'device', value: device });
    const answer = await waiting;
    expect({ status: answer.status, code: answer.body?.code }).toEqual({ status: 403, code: 'denylist.device' });
    expect(edge.connections()).toBe(before);
    expect((await ask(edge.port, '/certificate', party)).body?.code).toBe('denylist.device');
    expect((await ask(edge.port, '/token', a, bearer(neighbours))).status).toBe(200);
  });

  it("of the key that a token is bound to ends the token's use", async () => {
    const other = dpopKeyOf();
    const compact = token.accessToken(claims(b!, B, { jkt: other.jkt }));
    expect(await askProven(edge.port, '/token', b!, compact, {}, other)).toMatchObject({ status: 200 });
    const value = sha256Base64url(other.publicKey.export({ type: 'spki', format: 'der' }));
    await deny({ kind: 'key', value });
    await until(() => app.get(DenylistFeed).match({ keyThumbprint: value }) !== undefined);
    expect((await askProven(edge.port, '/token', b!, compact, {}, other)).body?.code).toBe('denylist.key');
  });

  it("of the proxy's own certificate ends all that comes through it", async () => {
    const doomed = await issueService(ground.fleet, 'edge-1');
    const through1 = await through(doomed, 'rfc9440');
    expect((await ask(through1.port, '/certificate', a)).status).toBe(200);
    await deny({ kind: 'certificate', value: doomed.certificate.thumbprint });
    await until(async () => (await ask(through1.port, '/certificate', a).catch(() => undefined))?.status === 403);
    expect((await ask(edge.port, '/certificate', a)).status).toBe(200);
  });
});
