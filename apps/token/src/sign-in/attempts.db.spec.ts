import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Decision, decisionMade, EVENTS_STREAM } from '@outrider/contracts';
import { type Ground, prepareGround, startService, until } from '../token.fixture.js';
import { codeOf, factor, makePerson, PASSWORD, password } from './people.fixture.js';

let ground: Ground;
let app: NestFastifyApplication;
let provisioner: Awaited<ReturnType<Ground['nats']['connectAs']>>;

beforeAll(async () => {
  ground = await prepareGround();
  app = await startService(ground, 1);
}, 60_000);

afterAll(async () => {
  await provisioner?.close();
  await app?.close();
  await ground?.stop();
});

/** All that the service has told the decision log, as it lies in the stream. */
async function told(): Promise<string[]> {
  const heard: string[] = [];
  for (let seq = 1; ; ) {
    const query = JSON.stringify({ seq, next_by_subj: decisionMade('token').subject });
    const { message } = (await provisioner.request(`$JS.API.STREAM.MSG.GET.${EVENTS_STREAM.name}`, query)).json<{
      message?: { seq: number; data: string };
    }>();
    if (!message) return heard;
    heard.push(Buffer.from(message.data, 'base64').toString());
    seq = message.seq + 1;
  }
}

it('every attempt is in the decision log, by whom, from where and how it went, and nothing that was shown', async () => {
  provisioner = await ground.nats.connectAs('provisioner');
  const ada = await makePerson(ground, 'ada');
  const typedForAName = 'my password typed into the wrong field';
  await password(ground, typedForAName);
  await password(ground, 'ada', { password: 'a wrong password' });
  const { body } = await password(ground, 'ada');
  const code = codeOf(ada);
  await factor(ground, body.sign_in_id, 'totp', '000000');
  const signedIn = await factor(ground, body.sign_in_id, 'totp', code);
  expect(signedIn.status).toBe(200);

  let heard: string[] = [];
  const expected: [string, string, string | undefined][] = [
    ['sign-in password', 'sign_in.refused', undefined],
    ['sign-in password', 'sign_in.refused', ada.sub],
    ['sign-in password', 'ok', ada.sub],
    ['sign-in totp', 'sign_in.refused', ada.sub],
    ['sign-in totp', 'ok', ada.sub],
  ];
  // What is allowed is told together, every ten seconds.
  await until(async () => {
    heard = await told();
    const decisions = heard.map((text) => Decision.parse(JSON.parse(text)));
    return expected.every(([action, code, subject]) =>
      decisions.some((one) => one.action === action && one.code === code && one.subject === subject),
    );
  }, 25_000);
  for (const secret of [PASSWORD, typedForAName, 'a wrong password', body.sign_in_id, signedIn.body.access_token]) {
    expect(heard.some((text) => text.includes(secret))).toBe(false);
  }
}, 45_000);
