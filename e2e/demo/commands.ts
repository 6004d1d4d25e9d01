/** A command, and a critical one, from the operator's request to the vehicle's signed word. */
import { randomUUID } from 'node:crypto';
import type { Agent } from '../harness/agent.js';
import { elevatedToken } from '../harness/elevation.js';
import { operator, operatorToken } from '../harness/operator.js';
import { until } from '../harness/until.js';
import type { Timeline } from './timeline.js';

/** What `commands` is told of the vehicle besides its agent. */
export interface Drive {
  /** False for a recorded drive: it may begin standing. */
  readonly moves: boolean;
  /** Takes the vehicle off the road; its agent is another process then. */
  park(): Promise<Agent>;
}

/** @returns the agent that runs at the end. */
export async function commands(timeline: Timeline, deviceId: string, agent: Agent, drive: Drive): Promise<Agent> {
  await roundTrip(timeline, deviceId, 'honk', { times: 2 });
  await elevated(timeline, deviceId);
  if (drive.moves) await whileMoving(timeline, deviceId);
  const parked = await drive.park();
  await parked.seen('accepted');
  timeline.line('it parks, and says so');
  await roundTrip(timeline, deviceId, 'unlock', {});
  const executed = [...agent.of('command_executing'), ...parked.of('command_executing')];
  timeline.must('nothing was carried out twice', executed.length === 2, executed);
  return parked;
}

/** A critical command is nobody's standing right. */
async function elevated(timeline: Timeline, deviceId: string): Promise<void> {
  const { status, body } = await operator('command', 'POST', `/v1/vehicles/${deviceId}/commands`, {
    body: { name: 'unlock' },
    headers: { 'idempotency-key': randomUUID() },
  });
  const isRefused = status === 403 && body?.code === 'auth.scope_insufficient';
  timeline.must('nobody may unlock without being elevated', isRefused, { status, body });
  const begun = performance.now();
  await elevatedToken('command:send-critical');
  timeline.line('an operator asks for command:send-critical, another approves', performance.now() - begun);
}

/** By a policy that a fleet starts with. */
async function whileMoving(timeline: Timeline, deviceId: string): Promise<void> {
  const { status, body, ms } = await operator('command', 'POST', `/v1/vehicles/${deviceId}/commands`, {
    body: { name: 'unlock' },
    token: await elevatedToken('command:send-critical'),
    headers: { 'idempotency-key': randomUUID() },
  });
  const isDenied = status === 403 && body?.code === 'policy.denied';
  timeline.must('unlock of a moving vehicle is denied by a policy', isDenied, { status, body });
  timeline.line(`unlock while it moves: ${body.detail} (${body.code})`, ms);
}

async function roundTrip(timeline: Timeline, deviceId: string, name: string, parameters: object): Promise<void> {
  const key = randomUUID();
  const token = name === 'unlock' ? await elevatedToken('command:send-critical') : operatorToken();
  const begun = performance.now();
  const send = () =>
    operator('command', 'POST', `/v1/vehicles/${deviceId}/commands`, {
      body: { name, parameters },
      token,
      headers: { 'idempotency-key': key },
    });
  // What a vehicle said last is known to those who decide within about two seconds; a refused request leaves its key free.
  const allowed = async () => {
    const answer = await send();
    return answer.status !== 403 && answer;
  };
  const sent = await until(`${name} is allowed`, allowed, { everyMs: 200, withinMs: 10_000 });
  const again = await send();
  timeline.must(`${name} is accepted once`, sent.status === 202 && again.body?.id === sent.body?.id, [sent, again]);
  const done = await until(
    `${name} is answered`,
    async () => {
      const { body } = await operator('command', 'GET', `/v1/commands/${sent.body.id}`);
      return ['succeeded', 'failed', 'refused', 'unknown', 'expired'].includes(body.state) && body;
    },
    { everyMs: 10, withinMs: 15_000 },
  );
  const ms = performance.now() - begun;
  timeline.must(`${name} succeeds`, done.state === 'succeeded', done);
  const states = (done.history as { state: string }[]).map(({ state }) => state).join(' > ');
  timeline.line(`${name}: ${states}`, ms);
  timeline.line(`  the vehicle's signed outcome: ${done.outcome.detail ?? done.outcome.result}`);
}
