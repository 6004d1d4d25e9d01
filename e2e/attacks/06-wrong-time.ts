import { storedMessages } from '../harness/database.js';
import { deniedInLog } from '../harness/decisions.js';
import { FORMS } from '../harness/formats.js';
import { nowSeconds } from '../harness/message.js';
import { attack } from './attack.js';
import { unharmed, victim } from './cast.js';
import { said } from './said.js';

const FIVE_MINUTES = 300;

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
    await unharmed(trial);
  },
);
