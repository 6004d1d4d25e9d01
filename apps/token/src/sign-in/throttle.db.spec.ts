import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type pg from 'pg';
import { type Ground, prepareGround, startService } from '../token.fixture.js';
import { codeOf, factor, makePerson, password } from './people.fixture.js';
import { Throttle } from './throttle.service.js';

const HOME = '127.0.0.1';
const ELSEWHERE = '127.0.0.2';
const WRONG = { password: 'wrong password' };

let ground: Ground;
let app: NestFastifyApplication;
let admin: pg.Client;
let ada: Awaited<ReturnType<typeof makePerson>>;

beforeAll(async () => {
  ground = await prepareGround();
  admin = await ground.database.admin();
  app = await startService(ground, 1);
  ada = await makePerson(ground, 'ada');
}, 60_000);

afterAll(async () => {
  await app?.close();
  await admin?.end();
  await ground?.stop();
});

beforeEach(async () => {
  await admin.query('DELETE FROM token.sign_in_failures');
  await admin.query('UPDATE token.person_totps SET last_step = 0');
});

async function fail(times: number, username: string, from: string) {
  for (let n = 0; n < times; n += 1) await password(ground, username, WRONG, from);
}

/** As if what has failed had failed ten times more, just now. */
const worse = () => admin.query('UPDATE token.sign_in_failures SET count = count + 10, failed_at = now()');

const counted = async () => {
  const { rows } = await admin.query('SELECT coalesce(sum(count), 0)::int AS count FROM token.sign_in_failures');
  return rows[0].count as number;
};

describe('who keeps failing', () => {
  it('waits, right or wrong, and is told how long', async () => {
    await fail(5, 'ada', ELSEWHERE);
    await worse();
    const answer = await password(ground, 'ada', {}, ELSEWHERE);
    expect(answer).toMatchObject({ status: 429, body: { code: 'sign_in.slow_down' } });
    expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
  });

  it('waits for a name that nobody has just so', async () => {
    await fail(5, 'nobody', ELSEWHERE);
    await worse();
    expect((await password(ground, 'nobody', WRONG, ELSEWHERE)).status).toBe(429);
  });

  it('is counted for each of a hundred at once', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => password(ground, 'ada', WRONG, ELSEWHERE)));
    const judged = answers.filter(({ status }) => status === 401);
    // Five are free; with each second that the checks take one more gets its turn.
    expect(judged.length).toBeLessThanOrEqual(8);
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(30);
  });

  it('with one name after another waits for all of them', async () => {
    const names = Array.from({ length: 40 }, (_, n) => `name-${n}`);
    const answers = await Promise.all(names.map((name) => password(ground, name, WRONG, ELSEWHERE)));
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(5);
    await worse();
    expect((await password(ground, 'ada', {}, ELSEWHERE)).status).toBe(429);
  });

  it('locks nobody else out: the person signs in from another network meanwhile', async () => {
    await fail(6, 'ada', ELSEWHERE);
    await worse();
    expect((await password(ground, 'ada', {}, ELSEWHERE)).status).toBe(429);
    expect((await password(ground, 'ada', {}, HOME)).status).toBe(200);
    expect((await password(ground, 'ada', {}, ELSEWHERE)).status).toBe(429);
  });

  it('locks out not even who shares the network, on a device that the person has signed in with', async () => {
    const begun = await password(ground, 'ada');
    const { body } = await factor(ground, begun.body.sign_in_id, 'totp', codeOf(ada));
    await fail(6, 'ada', HOME);
    await Promise.all(Array.from({ length: 40 }, (_, n) => password(ground, `name-${n}`, WRONG, HOME)));
    await worse();
    expect((await password(ground, 'ada', {}, HOME)).status).toBe(429);
    const { device_token } = body;
    expect((await password(ground, 'ada', { device_token }, HOME)).status).toBe(200);
    // It is this person's device, and opens no other's queue.
    await makePerson(ground, 'bob');
    expect((await password(ground, 'bob', { device_token }, HOME)).status).toBe(429);
  });

  it('is forgiven by a sign-in, yet not for the names tried before', async () => {
    await fail(4, 'ada', HOME);
    await fail(3, 'bob', HOME);
    expect((await password(ground, 'ada', {}, HOME)).status).toBe(200);
    const before = await counted();
    expect(before).toBe(3 + 7);
    await fail(4, 'ada', HOME);
    expect((await password(ground, 'ada', {}, HOME)).status).toBe(200);
  });
});

it('codes wait too: who has the password guesses ten, then one a second, then fewer', async () => {
  const statuses: number[] = [];
  for (let n = 0; n < 3; n += 1) {
    const { body } = await password(ground, 'ada', {}, ELSEWHERE);
    for (let code = 0; code < 5; code += 1)
      statuses.push((await factor(ground, body.sign_in_id, 'totp', '000000', ELSEWHERE)).status);
  }
  expect(statuses.slice(0, 10)).toEqual(Array(10).fill(401));
  expect(statuses.slice(10)).toContain(429);
});

it('what has failed is bounded: the oldest beyond so many are forgotten, and all after an hour', async () => {
  const throttle = app.get(Throttle);
  const now = new Date();
  for (let n = 0; n < 20; n += 1)
    await throttle.admit([{ scope: 'name', name: `n${n}` }], new Date(now.getTime() - n * 1000));
  await throttle.sweep(now, 5);
  const { rows } = await admin.query('SELECT failed_at FROM token.sign_in_failures ORDER BY failed_at');
  expect(rows).toHaveLength(5);
  expect(rows[0].failed_at.getTime()).toBe(now.getTime() - 4000);
  await throttle.sweep(new Date(now.getTime() + 3_601_000));
  expect(await counted()).toBe(0);
});

it('two replicas count together', async () => {
  const other = await startService(ground, 2, { listen: false });
  try {
    const now = new Date();
    const source = [{ scope: 'name', name: 'shared' }] as const;
    for (let n = 0; n < 5; n += 1) await [app, other][n % 2]!.get(Throttle).admit(source, now);
    for (const replica of [app, other]) {
      await expect(replica.get(Throttle).admit(source, now)).rejects.toMatchObject({ code: 'sign_in.slow_down' });
    }
  } finally {
    await other.close();
  }
});
