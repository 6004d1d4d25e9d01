/** Refresh tokens over TLS: for devices attested in hardware alone, rotated, bound, and ended with all that came of them by a second use. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { denylistAdd } from '@outrider/contracts';
import { issueVehicle, type Party, type TestNats } from '@outrider/testing';
import { decodeJwt } from 'jose';
import type pg from 'pg';
import { askToken, call, device, type Ground, prepareGround, startService } from '../token.fixture.js';

const SCOPE = 'telemetry:write offline_access';

let ground: Ground;
let app: NestFastifyApplication;
let admin: pg.Client;
let revocation: Awaited<ReturnType<TestNats['connectAs']>>;
const denied: string[] = [];
let revocationAway = false;

beforeAll(async () => {
  ground = await prepareGround();
  admin = await ground.database.admin();
  app = await startService(ground, 1);
  revocation = await ground.nats.connectAs('revocation');
  revocation.subscribe(denylistAdd.subject, {
    callback: (_error, msg) => {
      if (!revocationAway) denied.push(...denylistAdd.payload.parse(msg.json()).entries.map(({ value }) => value));
      const ok = { ok: { sequence: 1, enforcedBy: [], pending: [] } };
      msg.respond(JSON.stringify(revocationAway ? { error: { code: 'service.unavailable' } } : ok));
    },
  });
  await revocation.flush();
}, 60_000);

afterAll(async () => {
  await app?.close();
  await admin?.end();
  await revocation?.close();
  await ground?.stop();
});

async function vehicle(id: string, attestation: 'hardware' | 'none' = 'hardware'): Promise<Party> {
  ground.neighbours.register(id, { attestation, grants: ['command:receive'] });
  return issueVehicle(ground.fleet, device(id));
}
const begin = async (party: Party, id: string, scope = SCOPE) => (await askToken(ground, party, id, { scope })).body;
const refresh = (party: Party, id: string, refresh_token: string, more = {}) =>
  askToken(ground, party, id, { grant_type: 'refresh_token', refresh_token, ...more });
const jtiOf = (token: string) => decodeJwt(token).jti as string;
const INVALID_GRANT = { status: 400, body: { error: 'invalid_grant', code: 'token.invalid_grant' } };

describe('a refresh token', () => {
  it('is given to a device attested in hardware that asks, is 256 random bits, and lies hashed in the database', async () => {
    const party = await vehicle('refresh-first');
    const answer = await begin(party, 'refresh-first');
    expect(answer).toMatchObject({ token_type: 'Bearer', scope: 'telemetry:write', expires_in: 120 });
    expect(Buffer.from(answer.refresh_token, 'base64url')).toHaveLength(32);
    const hash = createHash('sha256').update(answer.refresh_token).digest();
    const { rows } = await admin.query(
      `SELECT f.device_id, f.thumbprint, f.ends_at - f.started_at = interval '24 hours' AS day
       FROM refresh_tokens t JOIN refresh_families f ON f.id = t.family_id WHERE t.hash = $1`,
      [hash],
    );
    expect(rows).toEqual([{ device_id: 'refresh-first', thumbprint: party.certificate.thumbprint, day: true }]);
    expect((await begin(party, 'refresh-first', 'telemetry:write')).refresh_token).toBeUndefined();
  });

  it('is given to no other device, and ends being taken when the attestation does', async () => {
    const soft = await vehicle('refresh-soft', 'none');
    expect(await askToken(ground, soft, 'refresh-soft', { scope: SCOPE })).toMatchObject({
      status: 400,
      body: { error: 'invalid_scope' },
    });
    const hard = await vehicle('refresh-lapsed');
    const { refresh_token } = await begin(hard, 'refresh-lapsed');
    await admin.query(`UPDATE devices SET attestation = 'none' WHERE device_id = 'refresh-lapsed'`);
    expect(await refresh(hard, 'refresh-lapsed', refresh_token)).toMatchObject(INVALID_GRANT);
  });

  it('is rotated at each use, for the scope it began with or less, within 24 hours', async () => {
    const party = await vehicle('refresh-chain');
    const first = await begin(party, 'refresh-chain', 'telemetry:write telemetry:backfill offline_access');
    const second = await refresh(party, 'refresh-chain', first.refresh_token, { scope: 'telemetry:write' });
    expect(second).toMatchObject({ status: 200, body: { scope: 'telemetry:write' } });
    expect(second.headers['cache-control']).toBe('no-store');
    const third = await refresh(party, 'refresh-chain', second.body.refresh_token);
    expect(third.body.scope).toBe('telemetry:write telemetry:backfill');
    expect(decodeJwt(third.body.access_token).cnf).toEqual({ 'x5t#S256': party.certificate.thumbprint });
    const wider = { scope: 'command:receive' };
    expect((await refresh(party, 'refresh-chain', third.body.refresh_token, wider)).body.error).toBe('invalid_scope');
    await admin.query(`UPDATE refresh_families SET ends_at = now() WHERE device_id = 'refresh-chain'`);
    expect(await refresh(party, 'refresh-chain', third.body.refresh_token)).toMatchObject(INVALID_GRANT);
  });

  it('used twice ends its family and the access tokens that came of it', async () => {
    const party = await vehicle('refresh-twice');
    const first = await begin(party, 'refresh-twice');
    const { body: second } = await refresh(party, 'refresh-twice', first.refresh_token);
    expect(await refresh(party, 'refresh-twice', first.refresh_token)).toMatchObject(INVALID_GRANT);
    expect(denied).toEqual(expect.arrayContaining([jtiOf(first.access_token), jtiOf(second.access_token)]));
    expect(await refresh(party, 'refresh-twice', second.refresh_token)).toMatchObject(INVALID_GRANT);
  });

  it('used twenty times at once succeeds once, and its family is over', async () => {
    const party = await vehicle('refresh-parallel');
    const { refresh_token } = await begin(party, 'refresh-parallel');
    const uses = await Promise.all(Array.from({ length: 20 }, () => refresh(party, 'refresh-parallel', refresh_token)));
    const [won, ...more] = uses.filter(({ status }) => status === 200);
    expect(more).toEqual([]);
    for (const lost of uses.filter((use) => use !== won)) expect(lost).toMatchObject(INVALID_GRANT);
    expect(await refresh(party, 'refresh-parallel', won?.body.refresh_token)).toMatchObject(INVALID_GRANT);
    expect(denied).toContain(jtiOf(won?.body.access_token));
  });

  it('is of no use to another device, and to have it there ends it; nor after the certificate was renewed', async () => {
    const [party, thief] = [await vehicle('refresh-owner'), await vehicle('refresh-thief')];
    const renewed = await issueVehicle(ground.fleet, device('refresh-owner'));
    const { refresh_token } = await begin(party, 'refresh-owner');
    expect(await refresh(renewed, 'refresh-owner', refresh_token)).toMatchObject(INVALID_GRANT);
    expect((await refresh(thief, 'refresh-owner', refresh_token)).body.error).toBe('invalid_client');
    expect(await refresh(thief, 'refresh-thief', refresh_token)).toMatchObject(INVALID_GRANT);
    expect(await refresh(party, 'refresh-owner', refresh_token)).toMatchObject(INVALID_GRANT);
    expect((await begin(party, 'refresh-owner', 'telemetry:write')).access_token).toBeDefined();
  });

  it('gives control tokens by all that they need at each use, audited', async () => {
    const party = await vehicle('refresh-control');
    const first = await begin(party, 'refresh-control', 'command:receive offline_access');
    const { body } = await refresh(party, 'refresh-control', first.refresh_token);
    const { rows } = await admin.query(`SELECT jti FROM control_tokens WHERE device_id = 'refresh-control'`);
    expect(rows.map(({ jti }) => jti)).toEqual(expect.arrayContaining([jtiOf(body.access_token)]));
    await admin.query(`UPDATE devices SET grants = '{}' WHERE device_id = 'refresh-control'`);
    expect((await refresh(party, 'refresh-control', body.refresh_token)).body.error).toBe('invalid_scope');
  });

  it('is revoked with its family and its access tokens, by its own client alone', async () => {
    const [party, other] = [await vehicle('refresh-revoked'), await vehicle('refresh-other')];
    const { access_token, refresh_token } = await begin(party, 'refresh-revoked');
    const revoke = (by: Party, client_id: string) =>
      call(ground, 'vehicle', '/oauth2/revoke', { party: by, form: { token: refresh_token, client_id } });
    expect((await revoke(other, 'refresh-other')).body.error).toBe('unauthorized_client');
    expect((await revoke(party, 'refresh-revoked')).status).toBe(200);
    expect(denied).toContain(jtiOf(access_token));
    expect(await refresh(party, 'refresh-revoked', refresh_token)).toMatchObject(INVALID_GRANT);
  });

  it('its end is not done before its access tokens are denied: coming again finishes it', async () => {
    const party = await vehicle('refresh-away');
    const first = await begin(party, 'refresh-away');
    const { body: second } = await refresh(party, 'refresh-away', first.refresh_token);
    revocationAway = true;
    expect((await refresh(party, 'refresh-away', first.refresh_token)).status).toBe(503);
    expect(denied).not.toContain(jtiOf(second.access_token));
    revocationAway = false;
    expect(await refresh(party, 'refresh-away', first.refresh_token)).toMatchObject(INVALID_GRANT);
    expect(denied).toContain(jtiOf(second.access_token));
  });

  it('is not for guessing, for another grant, or for operators', async () => {
    const party = await vehicle('refresh-odd');
    expect(await refresh(party, 'refresh-odd', 'x'.repeat(43))).toMatchObject(INVALID_GRANT);
    const none = await askToken(ground, party, 'refresh-odd', { grant_type: 'refresh_token' });
    expect(none.body.error).toBe('invalid_request');
    const form = { grant_type: 'refresh_token', refresh_token: 'x' };
    expect((await call(ground, 'operator', '/oauth2/token', { form })).body.error).not.toBe('invalid_grant');
  });
});
