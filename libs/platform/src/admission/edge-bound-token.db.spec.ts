import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sha256Base64url } from '@outrider/crypto';
import { DeviceId } from '@outrider/ids';
import { issueService, issueVehicle, type Party, type TestTokenService, until } from '@outrider/testing';
import { Database } from '../postgres/index.js';
import { A, B } from './admission-ground.fixture.js';
import { DenylistFeed } from './denylist-feed.client.js';
import { DpopProofRepository } from './dpop-proof.repository.js';
import { dpopKeyOf, type Edge } from './edge.fixture.js';
import { bearer, claims, EdgeGround, key, publicUrl } from './edge-ground.fixture.js';

let ground: EdgeGround;
let token: TestTokenService;
let edge: Edge;
let port: EdgeGround['port'];
let [a, b]: Party[] = [];

beforeAll(async () => {
  ({ ground, edge } = await EdgeGround.start());
  ({ token, port } = ground);
  ({ a, b } = ground.parties);
}, 60_000);

afterAll(() => ground?.stop());

describe('a token bound to a key', () => {
  const bound = () => token.accessToken(claims(a!, A, { jkt: key.jkt }));

  it('is taken with a proof, directly and through the proxy, once each', async () => {
    const compact = bound();
    const jti = 'b'.repeat(32);
    expect(await ground.askProven(edge.port, '/token', a!, compact, { jti })).toMatchObject({ status: 200 });
    const again = await ground.askProven(edge.port, '/token', a!, compact, { jti });
    expect({ status: again.status, code: again.body?.code }).toEqual({ status: 401, code: 'auth.dpop_replayed' });
    expect(again.headers['www-authenticate']).toContain('error="invalid_dpop_proof"');
    const htu = `https://127.0.0.1:${port.vehicle}/token`;
    expect(await ground.askProven(port.vehicle, '/token', a!, compact, { jti, htu })).toMatchObject({ status: 200 });
  });

  it('is taken once by all replicas, of many at the same moment', async () => {
    const used = ground.app.get(DpopProofRepository);
    const proof = { replayKey: randomBytes(32).toString('base64url'), untilSeconds: Date.now() / 1000 + 60 };
    const all = await Promise.all(Array.from({ length: 20 }, () => used.use(proof)));
    expect(all.filter((first) => first)).toHaveLength(1);
  });

  it('leaves nothing behind of what is refused, and what was used is purged in time', async () => {
    const database = ground.app.get(Database);
    const count = async () =>
      Number((await database.query<{ n: string }>('SELECT count(*) AS n FROM dpop_proofs'))[0]!.n);
    const before = await count();
    const compact = bound();
    expect((await ground.askProven(edge.port, '/devices/device-b', a!, compact)).body?.code).toBe('auth.wrong_device');
    expect(await ground.askProven(edge.port, '/token', b!, compact).catch(() => undefined)).toBeUndefined();
    expect(await count()).toBe(before);
    await ground.app.get(DpopProofRepository).use({ replayKey: 'old', untilSeconds: Date.now() / 1000 - 3600 });
    await ground.app.get(DpopProofRepository).purge();
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
    expect((await ground.ask(edge.port, '/token', a, headers)).body?.code).toBe(code);
  });

  it('is refused as a bearer token, with the key of another, and over another certificate (attacks 9, 10)', async () => {
    const compact = bound();
    expect((await ground.ask(port.vehicle, '/token', a, bearer(compact))).body?.code).toBe('auth.dpop_required');
    const other = await ground.askProven(edge.port, '/token', a!, compact, {}, dpopKeyOf());
    expect(other.body?.code).toBe('auth.token_binding_mismatch');
    const headers = { authorization: `DPoP ${compact}`, dpop: key.prove({}) };
    expect((await ground.ask(edge.port, '/token', b, headers)).body?.code).toBe('auth.token_binding_mismatch');
    expect((await ground.ask(edge.port, '/token', undefined, headers)).body?.code).toBe('tls.certificate_required');
  });

  it('is the only one that the DPoP scheme takes', async () => {
    const headers = { authorization: `DPoP ${token.accessToken(claims(a!, A))}`, dpop: key.prove({}) };
    expect((await ground.ask(edge.port, '/token', a, headers)).body?.code).toBe('auth.token_binding_mismatch');
  });

  it('is refused while nobody knows which proofs were used', async () => {
    const admin = await ground.ground.database.admin();
    await admin.query('ALTER TABLE dpop_proofs RENAME TO away');
    const answer = await ground.askProven(edge.port, '/token', a!, bound()).finally(async () => {
      await admin.query('ALTER TABLE away RENAME TO dpop_proofs');
      await admin.end();
    });
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect(await ground.askProven(edge.port, '/token', a!, bound())).toMatchObject({ status: 200 });
  });
});

describe('a revocation behind a proxy', () => {
  it("ends that vehicle's request, and neither the proxy's connection nor its neighbours' requests", async () => {
    const device = DeviceId.parse('stolen-behind-proxy');
    const party = await issueVehicle(ground.ground.fleet, device);
    const bound = token.accessToken(claims(party, device, { jkt: key.jkt }));
    const waiting = ground.askProven(edge.port, '/waits', party, bound);
    const neighbours = token.accessToken(claims(a!, A));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await ground.ask(edge.port, '/token', a, bearer(neighbours))).status).toBe(200);
    const before = edge.connections();
    await ground.denylist.deny({ kind: 'device', value: device });
    const answer = await waiting;
    expect({ status: answer.status, code: answer.body?.code }).toEqual({ status: 403, code: 'denylist.device' });
    expect(edge.connections()).toBe(before);
    expect((await ground.ask(edge.port, '/certificate', party)).body?.code).toBe('denylist.device');
    expect((await ground.ask(edge.port, '/token', a, bearer(neighbours))).status).toBe(200);
  });

  it("of the key that a token is bound to ends the token's use", async () => {
    const other = dpopKeyOf();
    const compact = token.accessToken(claims(b!, B, { jkt: other.jkt }));
    expect(await ground.askProven(edge.port, '/token', b!, compact, {}, other)).toMatchObject({ status: 200 });
    const value = sha256Base64url(other.publicKey.export({ type: 'spki', format: 'der' }));
    await ground.denylist.deny({ kind: 'key', value });
    await until(() => ground.app.get(DenylistFeed).match({ keyThumbprint: value }) !== undefined);
    expect((await ground.askProven(edge.port, '/token', b!, compact, {}, other)).body?.code).toBe('denylist.key');
  });

  it("of the proxy's own certificate ends all that comes through it", async () => {
    const doomed = await issueService(ground.ground.fleet, 'edge-1');
    const through1 = await ground.through(doomed, 'rfc9440');
    expect((await ground.ask(through1.port, '/certificate', a)).status).toBe(200);
    await ground.denylist.deny({ kind: 'certificate', value: doomed.certificate.thumbprint });
    const seen = async () => (await ground.ask(through1.port, '/certificate', a).catch(() => undefined))?.status;
    await until(async () => (await seen()) === 403);
    expect((await ground.ask(edge.port, '/certificate', a)).status).toBe(200);
  });
});
