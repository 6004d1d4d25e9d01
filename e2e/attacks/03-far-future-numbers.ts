import { deniedInLog } from '../harness/decisions.js';
import { FORMS } from '../harness/formats.js';
import { attack } from './attack.js';
import { attacker, unharmed, victim } from './cast.js';
import { said } from './said.js';

const FAR = 900_000;
const HARD_LIMIT = 1_000_000;

export const forgedFuture = attack(
  3,
  'forges a far-future sequence with a bad signature',
  'bad_signature; the window has not moved',
  async (trial) => {
    const [car, forger] = [await victim(), await attacker()];
    trial.check('a good message', '200 accepted', said(await car.send(car.message())));
    const before = JSON.stringify(await car.windows());
    const far = car.message({ seq: FAR });
    const forged = [
      { ...far, signature: `00${far.signature.slice(2)}` },
      { ...far, signature: '00'.repeat(64) },
      { ...far, signature: forger.sign('something else') },
      { ...forger.message({ device_id: car.id, seq: FAR }) },
      { ...far, payload: { ...far.payload, seq: FAR + 1 } },
    ];
    for (const message of forged)
      trial.check('a forged number', '422 telemetry.bad_signature', said(await car.send(message)));
    for (const form of FORMS) {
      const seen = said(await car.sendIn(form, far.payload, forger));
      trial.check(`a forged number, as ${form}`, /^(422|200) telemetry\.bad_signature$/, seen);
    }
    trial.must('the window has not moved', JSON.stringify(await car.windows()) === before, await car.windows());
    trial.check('the next number', '200 accepted', said(await car.send(car.message())));
    await deniedInLog('telemetry.bad_signature', { device: car.id });
    await unharmed(trial);
  },
);

export const jump = attack(
  4,
  'jumps the sequence beyond the hard limit, well signed',
  'jump, an alert',
  async (trial) => {
    const car = await victim();
    trial.check('a good message', '200 accepted', said(await car.send(car.message())));
    const before = JSON.stringify(await car.windows());
    for (const seq of [car.nextSeq() + HARD_LIMIT + 10, 2 ** 40, 2 ** 53 - 1])
      trial.check(`number ${seq}`, '422 telemetry.jump', said(await car.send(car.message({ seq }))));
    for (const form of FORMS) {
      const seen = said(await car.sendIn(form, { ...car.message({ seq: 2 ** 40 }).payload }));
      trial.check(`number 2^40, as ${form}`, /^(422|200) telemetry\.jump$/, seen);
    }
    trial.must('the window has not moved', JSON.stringify(await car.windows()) === before, await car.windows());
    await deniedInLog('telemetry.jump', { device: car.id });
    await unharmed(trial);
  },
);
