import { randomUUID } from 'node:crypto';
import { loggedRecords, storedMessages } from '../harness/database.js';
import { deniedInLog } from '../harness/decisions.js';
import { FORMS } from '../harness/formats.js';
import { orderLog, sealLog, uploadLog } from '../harness/log.js';
import { nowSeconds, payloadOf } from '../harness/message.js';
import { attack, type Trial } from './attack.js';
import { Party, unharmed, victim } from './cast.js';
import { said } from './said.js';

const FIVE_MINUTES = 300;

/** The same two times in a log: taken only where the platform ordered it, beside the live messages. */
async function insideALog(trial: Trial): Promise<void> {
  const car = await Party.enrol('late');
  await car.send(car.message({ seq: 600 }));
  const records = [nowSeconds() - FIVE_MINUTES, nowSeconds() + FIVE_MINUTES].map((ts, index) =>
    payloadOf(car.id, 501 + index, ts),
  );
  const log = sealLog(car, records, nowSeconds());
  const nobodys = { id: randomUUID(), nonce: 'x', ranges: [] };
  trial.check('a log that nobody ordered', '404 telemetry.order_not_found', said(await uploadLog(car, nobodys, log)));
  const order = await orderLog(car.id, [[501, 502]]);
  trial.check('in an ordered log', '200 accepted', said(await uploadLog(car, order, log)));
  const kept = (await loggedRecords(car.id)).map(({ seq }) => seq);
  trial.must('both are kept, beside the live messages', JSON.stringify(kept) === '[501,502]', kept);
  trial.must('the live messages are as before', (await storedMessages(car.id)).length === 1, 'one more');
}

export const wrongTime = attack(
  6,
  'sends a timestamp 5 minutes old, and one 5 minutes ahead',
  'skewed',
  async (trial) => {
    const car = await victim();
    const stored = (await storedMessages(car.id)).length;
    const before = JSON.stringify(await car.windows());
    const [old, ahead] = [nowSeconds() - FIVE_MINUTES, nowSeconds() + FIVE_MINUTES];
    for (const ts of [old, ahead, 0])
      trial.check(`ts ${ts}`, '422 telemetry.skewed', said(await car.send(car.message({ ts, seq: 500 }))));
    // In milliseconds it is no time in seconds at all.
    const inMilliseconds = said(await car.send(car.message({ ts: old * 1000, seq: 500 })));
    trial.check('ts in milliseconds', '400 telemetry.invalid', inMilliseconds);
    const hidden = [car.message({ ts: old, seq: 501 }), car.message({ ts: ahead, seq: 502 })];
    trial.check('in a batch', '200 telemetry.skewed', said(await car.send(hidden)));
    for (const form of FORMS) {
      for (const ts of [old, ahead]) {
        const seen = said(await car.sendIn(form, car.message({ ts, seq: 503 }).payload));
        trial.check(`ts ${ts} as ${form}`, /^(422|200) telemetry\.skewed$/, seen);
      }
    }
    trial.must('nothing is stored', (await storedMessages(car.id)).length === stored, 'a message more');
    trial.must('the window has not moved', JSON.stringify(await car.windows()) === before, 'it moved');
    await deniedInLog('telemetry.skewed', { device: car.id });
    await insideALog(trial);
    await unharmed(trial);
  },
);
