import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { operatorsGet } from '@outrider/contracts';
import { type Ground, prepareGround, startService } from '../token.fixture.js';
import { OperatorAccountRepository } from './operator-account.repository.js';

let ground: Ground;
let app: NestFastifyApplication;

beforeAll(async () => {
  ground = await prepareGround();
  app = await startService(ground, 1);
}, 60_000);
afterAll(async () => {
  await app?.close();
  await ground?.stop();
});

it('tells command who stands behind accounts, and nothing of those that are not or are switched off', async () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const accounts = app.get(OperatorAccountRepository);
  const make = async (clientId: string, identity: string) =>
    `op:${(await accounts.upsert({ clientId, identity, roles: ['admin'], publicKeyPem }))!.id}`;
  const [ann, ben] = [await make('ann', 'ann@fleet'), await make('ben', 'ben@fleet')];
  const admin = await ground.database.admin();
  await admin.query(`UPDATE token.operator_accounts SET enabled = false WHERE client_id = 'ben'`);
  await admin.end();
  const command = await ground.nats.connectAs('command');
  const subjects = [ann, ben, `op:${randomUUID()}`];
  const answer = await command.request(operatorsGet.subject, JSON.stringify({ subjects }), { timeout: 20_000 });
  await command.close();
  expect(JSON.parse(answer.string())).toEqual({
    ok: { operators: [{ subject: ann, identity: 'ann@fleet', keyedBy: [] }] },
  });
});
