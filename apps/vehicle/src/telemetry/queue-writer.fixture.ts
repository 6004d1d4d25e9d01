/** A process that fills a queue as fast as it can and says each number once its commit has returned; the test kills it. */
import { writeSync } from 'node:fs';
import { openStateDatabase } from '../agent/state-database.store.js';
import { QueueStore } from './queue.store.js';

const [directory = '', round = ''] = process.argv.slice(2);
const queue = new QueueStore(openStateDatabase(directory));
writeSync(1, 'open\n');
for (;;) {
  const { seq } = await queue.append(1, async ({ nextSeq }) => ({
    payload: JSON.stringify({ seq: nextSeq, round }),
    signature: 's',
    thumbprint: 't',
  }));
  writeSync(1, `${seq}\n`);
  if (seq % 7 === 0) queue.settle([{ epoch: 0, seq: seq - 1, state: 'sent', verdict: 'accepted' }]);
  if (seq % 7 === 0) writeSync(1, `sent ${seq - 1}\n`);
}
