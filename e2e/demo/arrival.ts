/** Enrolment, token, first accepted telemetry: each as the vehicle itself measured it. */
import { basename } from 'node:path';
import type { Agent, AgentEvent } from '../harness/agent.js';
import type { Timeline } from './timeline.js';

export async function arrival(timeline: Timeline, agent: Agent): Promise<void> {
  const started = await agent.seen('started');
  timeline.line(`the agent starts; its drive is ${started.source}: ${basename(String(started.drive))}`);
  const enrolled = await agent.seen('enrolled');
  timeline.line(
    `enrolled over EST, fleet certificate ${String(enrolled.serial).slice(0, 8)}... until ${enrolled.notAfter}`,
    ms(enrolled),
  );
  const token =
    agent.of('token').find(({ scope }) => String(scope).startsWith('telemetry')) ?? (await agent.seen('token'));
  timeline.line(`access token bound to it, ${token.expiresInSeconds} s`, ms(token));
  const accepted = await agent.seen('accepted');
  timeline.line('first signed telemetry accepted: verified and committed', ms(accepted));
  timeline.line('from its start to that, all together', Date.parse(accepted.at) - Date.parse(started.at));
  const seq = accepted.upTo as number;
  await agent.seen('accepted', { from: agent.events.length });
  timeline.must(
    'the sequence goes on',
    agent.of('accepted').some(({ upTo }) => (upTo as number) > seq),
    agent.of('accepted'),
  );
}

function ms(event: AgentEvent): number {
  return event.ms as number;
}
