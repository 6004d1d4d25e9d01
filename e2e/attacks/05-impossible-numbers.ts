import { storedMessages } from '../harness/database.js';
import { deniedInLog } from '../harness/decisions.js';
import { nowSeconds } from '../harness/message.js';
import { attack } from './attack.js';
import { unharmed, victim } from './cast.js';
import { said } from './said.js';

const NUMBERS = [
  '0',
  '-1',
  '1.5',
  '9007199254740992',
  '18446744073709551616',
  '"7"',
  'null',
  '-0',
  '1e400',
  '[7]',
  'true',
  '07',
];

export const impossibleNumbers = attack(
  5,
  'uses sequence 0, -1, 1.5, 2^53, 2^64, "7", null',
  'a shape error for each',
  async (trial) => {
    const car = await victim();
    const stored = (await storedMessages(car.id)).length;
    for (const seq of NUMBERS) {
      const payload = `{"device_id":"${car.id}","seq":${seq},"telemetry":{"speed":1},"ts":${nowSeconds()}}`;
      const body = `{"payload":${payload},"signature":"${car.sign(payload)}"}`;
      trial.check(`seq ${seq}`, /^400 (telemetry\.invalid|request\.malformed)$/, said(await car.send(body)));
    }
    const payload = `{"device_id":"${car.id}","telemetry":{"speed":1},"ts":${nowSeconds()}}`;
    const none = said(await car.send(`{"payload":${payload},"signature":"${car.sign(payload)}"}`));
    trial.check('no seq', '400 telemetry.invalid', none);
    trial.must('nothing is stored', (await storedMessages(car.id)).length === stored, 'a message more');
    await deniedInLog('telemetry.invalid', { device: car.id });
    await unharmed(trial);
  },
);
