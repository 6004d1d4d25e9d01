import { storedMessages } from '../harness/database.js';
import { deniedInLog } from '../harness/decisions.js';
import { FORMS } from '../harness/formats.js';
import { attack } from './attack.js';
import { unharmed, victim } from './cast.js';
import { said } from './said.js';

export const reusedNumber = attack(
  2,
  'sends the same sequence number with other content, well signed',
  'replayed, a finding',
  async (trial) => {
    const car = await victim();
    const first = car.message();
    const { seq } = first.payload;
    trial.check('the first record', '200 accepted', said(await car.send(first)));
    const others = [
      car.message({ seq, telemetry: { speed: 1 } }),
      car.message({ seq, ts: first.payload.ts + 1 }),
      car.message({ seq, telemetry: { ...first.payload.telemetry, more: true } }),
    ];
    for (const other of others) trial.check('the number again', '409 telemetry.replayed', said(await car.send(other)));
    const mixed = said(await car.send([others[0], car.message()]));
    trial.check('in a batch with a good one', '200 telemetry.replayed+accepted', mixed);
    for (const form of FORMS) {
      const seen = said(await car.sendIn(form, others[0]!.payload));
      trial.check(`the number again, as ${form}`, /^(409|200) telemetry\.replayed$/, seen);
    }
    const stored = (await storedMessages(car.id)).filter((one) => one.seq === seq);
    trial.must('the first record stands alone', stored.length === 1 && !stored[0]?.payload.includes('"more"'), stored);
    await deniedInLog('telemetry.replayed', { device: car.id, service: 'telemetry' });
    await unharmed(trial);
  },
);
