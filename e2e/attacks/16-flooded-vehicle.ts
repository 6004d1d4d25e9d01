import { randomUUID } from 'node:crypto';
import { operator } from '../harness/operator.js';
import { outriderJson } from '../harness/outrider.js';
import { until } from '../harness/until.js';
import { attack, type Trial } from './attack.js';
import { Party, unharmed } from './cast.js';
import { said } from './said.js';

/** The local default's `maxOpenPerDevice`, and some more. */
const CAP = 1000;
const TRIES = 1100;
const AT_ONCE = 16;
/** They are over soon after the attack. */
const EXPIRES_IN = 120;

const send = (device: string, body: object = {}) =>
  operator('command', 'POST', `/v1/vehicles/${device}/commands`, {
    body: { name: 'honk', expires_in: EXPIRES_IN, ...body },
    headers: { 'idempotency-key': randomUUID() },
  });

async function next(car: Party): Promise<{ seen: string; id: string | undefined }> {
  const token = await car.token('command:receive command:critical');
  const answer = await car.client.ask({ service: 'command', method: 'GET', path: '/v1/commands/next?wait=0', token });
  const id = answer.status === 200 ? (JSON.parse(answer.body) as { command: { id: string } }).command.id : undefined;
  return { seen: said(answer), id };
}

/** As many at once as an operator's program may well send. */
async function flood(trial: Trial, car: Party): Promise<void> {
  const answers = new Map<string, number>();
  let left = TRIES;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) {
        const { status, body } = await send(car.id);
        const seen = status === 202 ? '202' : `${status} ${body.code}`;
        answers.set(seen, (answers.get(seen) ?? 0) + 1);
      }
    }),
  );
  const seen = [...answers].map(([what, times]) => `${what} (${times}x)`).join(', ');
  const accepted = answers.get('202') ?? 0;
  const full = answers.get('429 command.queue_full') ?? 0;
  // What is judged at the same moment may come in beside the last one.
  const held = accepted >= CAP - 1 && accepted < CAP + AT_ONCE && accepted + full === TRIES;
  trial.must('the answers', held, seen, seen);
}

export const floodedVehicle = attack(
  16,
  'sends one vehicle commands without end, then one that is quarantined',
  '429 above the cap; others get theirs as ever; in quarantine none goes out',
  async (trial) => {
    const [car, other] = [await Party.enrol('flooded'), await Party.enrol('beside')];
    const { body: first } = await send(car.id);
    await flood(trial, car);
    trial.must('the first is first', (await next(car)).id === first.id, first);
    const { body: theirs } = await send(other.id);
    trial.must("another vehicle's", (await next(other)).id === theirs.id, theirs, 'another vehicle has its own');
    await outriderJson('block', car.id, '--reason', 'an attack');
    await until('refused', async () => (await next(car)).seen === '403 denylist.device');
    trial.check('what waits, in quarantine', '403 denylist.device', (await next(car)).seen);
    const refused = await until('known there', async () => {
      const { status, body } = await send(car.id);
      return status === 409 ? `${status} ${body.code}` : undefined;
    });
    trial.check('another, in quarantine', '409 command.device_unavailable', refused);
    await outriderJson('unblock', car.id, '--reason', 'the attack is over');
    await unharmed(trial);
  },
);
