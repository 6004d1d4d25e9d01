/** A command, and a critical one, from the operator's request to the vehicle's signed word. */
import { randomUUID } from 'node:crypto';
import type { Agent } from '../harness/agent.js';
import { operator } from '../harness/operator.js';
import { until } from '../harness/until.js';
import type { Timeline } from './timeline.js';

export async function commands(timeline: Timeline, deviceId: string, agent: Agent): Promise<void> {
  await roundTrip(timeline, deviceId, 'honk', { times: 2 });
  await roundTrip(timeline, deviceId, 'unlock', {});
  timeline.must(
    'nothing was carried out twice',
    agent.of('command_executing').length === 2,
    agent.of('command_executing'),
  );
}

async function roundTrip(timeline: Timeline, deviceId: string, name: string, parameters: object): Promise<void> {
  const key = randomUUID();
  const begun = performance.now();
  const send = () =>
    operator('command', 'POST', `/v1/vehicles/${deviceId}/commands`, {
      body: { name, parameters },
      headers: { 'idempotency-key': key },
    });
  const [sent, again] = await Promise.all([send(), send()]);
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
