import { createHash, createPrivateKey, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { elevatedToken } from '../harness/elevation.js';
import { operator } from '../harness/operator.js';
import { signedJws } from '../harness/token-signing-key.js';
import { attack } from './attack.js';
import { attacker, Party, unharmed } from './cast.js';
import { said } from './said.js';

const SCOPE = 'command:receive command:critical';

async function send(device: string, name: string): Promise<string> {
  const { status, body } = await operator('command', 'POST', `/v1/vehicles/${device}/commands`, {
    body: { name },
    headers: { 'idempotency-key': randomUUID() },
    token: await elevatedToken('command:send-critical'),
  });
  if (status !== 202) throw new Error(`not sent: ${status} ${JSON.stringify(body)}`);
  return body.id;
}

const stateOf = async (id: string) => (await operator('command', 'GET', `/v1/commands/${id}`)).body.state as string;

interface Word {
  readonly id: string;
  readonly jws: string;
  /** Whose it says that it is. */
  readonly of: Party;
  /** Whose key signs it, and whose certificate it names. */
  readonly by: Party;
  readonly kid?: Party;
}

async function outcome({ id, jws, of, by, kid = by }: Word): Promise<string> {
  const header = { typ: 'outrider-outcome+jws', kid: await kid.vehicle.thumbprint(), alg: 'ES256' };
  const request_hash = createHash('sha256').update(jws).digest('base64url');
  const time = Math.floor(Date.now() / 1000);
  const said = { command_id: id, device_id: of.id, request_hash, result: 'succeeded', time };
  return signedJws(header, said, createPrivateKey(readFileSync(by.vehicle.key)));
}

async function tell(over: Party, word: Word): Promise<string> {
  const path = `/v1/commands/${word.id}/outcome`;
  const body = JSON.stringify({ outcome: await outcome(word) });
  return said(
    await over.client.ask({ service: 'command', method: 'POST', path, token: await over.token(SCOPE), body }),
  );
}

export const forgedOutcomes = attack(
  16,
  "forges the outcome of another vehicle's command, of one that was never released, and of one that there is not",
  'refused each; the command stays as it was until its own vehicle answers',
  async (trial) => {
    const [car, thief] = [await Party.enrol('answers'), await attacker()];
    const id = await send(car.id, 'honk');
    const next = { service: 'command', method: 'GET', path: '/v1/commands/next?wait=5' } as const;
    const offer = await car.client.ask({ ...next, token: await car.token(SCOPE) });
    const { jws } = (JSON.parse(offer.body) as { command: { jws: string } }).command;
    const words: [string, string, Party, Word][] = [
      ['in its own name', '404 command.not_found', thief, { id, jws, of: thief, by: thief }],
      ["in the other's name", '404 command.not_found', thief, { id, jws, of: car, by: thief }],
      ["over the other's connection", '422 command.outcome_invalid', car, { id, jws, of: car, by: thief }],
      ["naming the other's certificate", '422 command.outcome_invalid', car, { id, jws, of: car, by: thief, kid: car }],
      ['over other bytes', '422 command.outcome_invalid', car, { id, jws: `${jws}x`, of: car, by: car }],
    ];
    for (const [what, wanted, over, word] of words) trial.check(what, wanted, await tell(over, word));
    trial.must('the command', (await stateOf(id)) === 'released', await stateOf(id));
    trial.check('its own vehicle', '200', await tell(car, { id, jws, of: car, by: car }));
    const critical = await send(car.id, 'unlock');
    const early = { jws, of: car, by: car };
    trial.check('never released', '422 command.outcome_invalid', await tell(car, { ...early, id: critical }));
    trial.check('of no command', '404 command.not_found', await tell(car, { ...early, id: randomUUID() }));
    trial.must('the critical one', (await stateOf(critical)) === 'queued', await stateOf(critical), 'nothing changed');
    await unharmed(trial);
  },
);
