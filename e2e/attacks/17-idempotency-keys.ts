import { randomUUID } from 'node:crypto';
import { query } from '../harness/database.js';
import { elevatedToken } from '../harness/elevation.js';
import { operator } from '../harness/operator.js';
import { attack } from './attack.js';
import { Party, unharmed } from './cast.js';

async function send(device: string, key: string, body: object) {
  const token = await elevatedToken('command:send-critical');
  const headers = { 'idempotency-key': key };
  return operator('command', 'POST', `/v1/vehicles/${device}/commands`, { body, headers, token });
}

async function commandsOf(device: string): Promise<number> {
  const [row] = await query<{ count: number }>(
    'SELECT count(*)::int AS count FROM command.commands WHERE device_id = $1',
    [device],
  );
  return row?.count ?? 0;
}

export const sameRequestManyTimes = attack(
  17,
  'sends the same command request 100 times in parallel with one idempotency key',
  'one command, 100 equal answers',
  async (trial) => {
    const [car, key] = [await Party.enrol('hundred'), randomUUID()];
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => send(car.id, key, { name: 'honk', parameters: { times: 2 } })),
    );
    const different = new Set(answers.map(({ status, body }) => JSON.stringify([status, body])));
    trial.must(
      'the answers',
      different.size === 1 && answers[0]?.status === 202,
      [...different],
      '100 equal answers: 202',
    );
    const stored = await commandsOf(car.id);
    trial.must('the commands', stored === 1, `${stored} commands`, 'one command');
    const offers = await car.client.ask({
      service: 'command',
      method: 'GET',
      path: '/v1/commands/next?wait=0',
      token: await car.token('command:receive'),
    });
    trial.must('the vehicle gets that one', offers.body.includes(answers[0]?.body.id), offers);
    await unharmed(trial);
  },
);

export const reusedIdempotencyKey = attack(18, 'reuses the idempotency key with another body', '422', async (trial) => {
  const [car, key] = [await Party.enrol('reused-key'), randomUUID()];
  const first = await send(car.id, key, { name: 'honk', parameters: { times: 2 } });
  trial.must('the first', first.status === 202, first);
  const others = [
    { name: 'honk', parameters: { times: 3 } },
    { name: 'unlock' },
    { name: 'honk' },
    { name: 'honk', parameters: { times: 2 }, expires_in: 5 },
  ];
  for (const body of others) {
    const { status, body: answer } = await send(car.id, key, body);
    trial.check(JSON.stringify(body), '422 command.idempotency_mismatch', `${status} ${answer.code}`);
  }
  const stored = await commandsOf(car.id);
  trial.must('the commands', stored === 1, `${stored} commands`);
  await unharmed(trial);
});
