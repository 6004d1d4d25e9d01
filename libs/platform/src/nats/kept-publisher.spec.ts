import { mock } from 'node:test';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { KeptPublisher } from './kept-publisher.client.js';

let publisher: KeptPublisher;
let replies: string[];
let answer: (subject: string, text: string) => void;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  replies = [];
  // A server that takes everything and answers when the test says so, as none can be made to.
  const connection = {
    subscribe(_subject: string, { callback }: { callback: (error: null, msg: object) => void }) {
      answer = (subject, text) => callback(null, { subject, data: Buffer.from(text) });
      return { unsubscribe: () => undefined };
    },
    publish: (_subject: string, _payload: Uint8Array, { reply }: { reply: string }) => void replies.push(reply),
  };
  publisher = new KeptPublisher(connection as unknown as NatsConnection, 'telemetry', 'telemetry-1');
});
afterEach(() => void mock.timers.reset());

const messages = [1, 2].map(() => ({ subject: 'a', payload: Buffer.from('{}') }));
const KEPT = '{"stream":"EVENTS","seq":1}';

it('is done when all are acknowledged', async () => {
  const done = publisher.publishAll('id', messages);
  for (const reply of replies) answer(reply, KEPT);
  await done;
  expect(publisher.answered).toBe(true);
});

it('says that nobody answers from the first acknowledgement that is late until the next that comes', async () => {
  const late = expect(publisher.publishAll('id', messages)).rejects.toThrow('in time');
  mock.timers.tick(5_000);
  await late;
  expect(publisher.answered).toBe(false);
  answer(replies[0]!, KEPT);
  expect(publisher.answered).toBe(true);
});

it('is answered by a refusal too', async () => {
  const refused = expect(publisher.publishAll('id', messages)).rejects.toThrow('refused');
  answer(replies[0]!, '{"error":{"code":503}}');
  await refused;
  expect(publisher.answered).toBe(true);
});
