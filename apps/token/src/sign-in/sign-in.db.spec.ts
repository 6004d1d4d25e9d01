import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { decodeJwt } from 'jose';
import type pg from 'pg';
import { hashPassword } from '../person/password-hash.js';
import { type Ground, prepareGround, startService } from '../token.fixture.js';
import { codeOf, factor, makePerson, PASSWORD, password } from './people.fixture.js';

let ground: Ground;
let app: NestFastifyApplication;
let admin: pg.Client;
let ada: Awaited<ReturnType<typeof makePerson>>;

beforeAll(async () => {
  ground = await prepareGround();
  admin = await ground.database.admin();
  app = await startService(ground, 1);
  ada = await makePerson(ground, 'ada', { roles: 'viewer,security-operator' });
}, 60_000);

afterAll(async () => {
  await app?.close();
  await admin?.end();
  await ground?.stop();
});

/** Codes are good once: the next sign-in of a test takes the secret anew. */
const fresh = () => admin.query(`UPDATE token.person_totps SET last_step = 0`);

describe('a person', () => {
  it('signs in by a password and a code, and gets a token that says so', async () => {
    const first = await password(ground, 'ada');
    expect(first).toMatchObject({ status: 200, body: { next: ['totp'], expires_in: 300 } });
    expect(first.body).not.toHaveProperty('access_token');
    const answer = await factor(ground, first.body.sign_in_id, 'totp', codeOf(ada));
    expect(answer).toMatchObject({ status: 200, body: { token_type: 'Bearer', expires_in: 900, next: [] } });
    expect(answer.headers['cache-control']).toBe('no-store');
    const claims = decodeJwt(answer.body.access_token);
    expect(claims).toMatchObject({ sub: ada.sub, client_id: 'ada', acr: 'urn:outrider:acr:mfa' });
    expect(claims.amr).toEqual(['pwd', 'otp', 'mfa']);
    expect(claims.auth_time).toBe(claims.iat);
    expect(String(claims.scope).split(' ')).toEqual(
      expect.arrayContaining(['device:read', 'gateway:block', 'self:enrol']),
    );
  });

  it('gets one token for one code, though it be shown twenty times at once, in one sign-in or in twenty', async () => {
    await fresh();
    const begun = await Promise.all(Array.from({ length: 4 }, () => password(ground, 'ada')));
    const code = codeOf(ada);
    const shown = await Promise.all(
      Array.from({ length: 20 }, (_, n) => factor(ground, begun[n % 4]!.body.sign_in_id, 'totp', code)),
    );
    expect(shown.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const { status, body } of shown.filter(({ status }) => status !== 200)) {
      expect([401, 429]).toContain(status);
      expect(['sign_in.refused', 'sign_in.not_open', 'sign_in.slow_down']).toContain(body.code);
    }
    await admin.query('DELETE FROM token.sign_in_failures');
  });

  it('cannot use a code of an earlier step than the last one used', async () => {
    await fresh();
    const one = await password(ground, 'ada');
    expect((await factor(ground, one.body.sign_in_id, 'totp', codeOf(ada, 1))).status).toBe(200);
    const two = await password(ground, 'ada');
    expect((await factor(ground, two.body.sign_in_id, 'totp', codeOf(ada, 0))).status).toBe(401);
  });

  it('has five tries at a second factor, and begins again after that', async () => {
    await fresh();
    const { body } = await password(ground, 'ada');
    for (let n = 0; n < 5; n += 1) {
      expect(await factor(ground, body.sign_in_id, 'totp', '000000')).toMatchObject({
        status: 401,
        body: { code: 'sign_in.refused' },
      });
    }
    expect(await factor(ground, body.sign_in_id, 'totp', codeOf(ada))).toMatchObject({
      status: 401,
      body: { code: 'sign_in.not_open' },
    });
    await admin.query('DELETE FROM token.sign_in_failures');
  });

  it('does not go on with a sign-in that is old, nor with one nobody began', async () => {
    await fresh();
    const { body } = await password(ground, 'ada');
    await admin.query('UPDATE token.sign_ins SET expires_at = now() WHERE id = $1', [body.sign_in_id]);
    for (const id of [body.sign_in_id, 'a0a0a0a0-0000-4000-8000-000000000000']) {
      expect(await factor(ground, id, 'totp', codeOf(ada))).toMatchObject({ body: { code: 'sign_in.not_open' } });
    }
  });

  it('that is switched off is nobody, between the factors too', async () => {
    await fresh();
    const { body } = await password(ground, 'ada');
    await admin.query(`UPDATE token.operator_accounts SET enabled = false WHERE client_id = 'ada'`);
    expect((await password(ground, 'ada')).status).toBe(401);
    expect((await factor(ground, body.sign_in_id, 'totp', codeOf(ada))).status).toBe(401);
    await admin.query(`UPDATE token.operator_accounts SET enabled = true WHERE client_id = 'ada'`);
    await admin.query('DELETE FROM token.sign_in_failures');
  });

  it("keeps a password at today's cost: one stored at another is hashed anew", async () => {
    const cheap = await hashPassword(PASSWORD, Buffer.alloc(16), { memoryKib: 64, passes: 1, lanes: 1 });
    const accountId = ada.sub.slice(3);
    await admin.query('UPDATE token.person_passwords SET hash = $2 WHERE account_id = $1', [accountId, cheap]);
    expect((await password(ground, 'ada')).status).toBe(200);
    const { rows } = await admin.query('SELECT hash FROM token.person_passwords WHERE account_id = $1', [accountId]);
    expect(rows[0].hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  });

  it('has no secret in the database in the clear', async () => {
    const { rows } = await admin.query('SELECT sealed_secret FROM token.person_totps');
    for (const { sealed_secret } of rows) expect(sealed_secret.includes(ada.secret)).toBe(false);
  });
});

describe('somebody else', () => {
  it('gets one answer for a wrong password, a name nobody has, and a service account', async () => {
    await admin.query(
      `INSERT INTO token.operator_accounts (client_id, kind, identity, roles, public_key)
       VALUES ('robot', 'service', 'robot', '{viewer}', 'none') ON CONFLICT DO NOTHING`,
    );
    const answers = [
      await password(ground, 'ada', { password: 'wrong' }),
      await password(ground, 'nobody'),
      await password(ground, 'robot'),
    ].map(({ status, body }) => ({ status, ...body, traceId: undefined }));
    expect(answers[0]).toMatchObject({ status: 401, code: 'sign_in.refused' });
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
  });

  it('learns nothing from how long it takes', async () => {
    const took = async (username: string) => {
      const times: number[] = [];
      for (let n = 0; n < 7; n += 1) {
        await admin.query('DELETE FROM token.sign_in_failures');
        const start = performance.now();
        await password(ground, username, { password: 'wrong' });
        times.push(performance.now() - start);
      }
      return times.sort((a, b) => a - b)[3]!;
    };
    await took('nobody');
    const [known, unknown] = [await took('ada'), await took('nobody')];
    // The hash is most of it; without it an unknown name would take a few milliseconds.
    expect(unknown).toBeGreaterThan(known / 3);
    expect(known).toBeGreaterThan(unknown / 3);
  });

  it.each([
    ['no name', { username: '' }],
    ['a NUL', { username: 'a\0' }],
    ['more than there is', { username: 'ada', admin: true }],
  ])('is refused with %s', async (_name, fields) => {
    expect((await password(ground, 'ada', fields as never)).status).toBe(400);
  });
});
