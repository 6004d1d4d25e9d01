import { storedMessages } from '../harness/database.js';
import { FORMS } from '../harness/formats.js';
import { canonical } from '../harness/message.js';
import { attack } from './attack.js';
import { unharmed, victim } from './cast.js';
import { said } from './said.js';

export const replayedMessages = attack(
  1,
  'replays an exact telemetry message, and an exact batch',
  'duplicate: stored once, no side effect',
  async (trial) => {
    const car = await victim();
    const message = car.message();
    const batch = Array.from({ length: 5 }, () => car.message());
    trial.check('the message itself', '200 accepted', said(await car.send(message)));
    trial.check('the batch itself', '200 accepted', said(await car.send(batch)));
    const records = FORMS.map((form) => ({ form, record: car.message().payload }));
    for (const { form, record } of records)
      trial.check(`as ${form}`, '200 accepted', said(await car.sendIn(form, record)));
    const before = await car.windows();
    const once = await storedMessages(car.id);
    for (const token of [undefined, await car.client.token(car.id, 'telemetry:write')]) {
      trial.check('the message again', '200 duplicate', said(await car.send(message, token)));
      trial.check('the batch again', '200 duplicate', said(await car.send(batch, token)));
    }
    for (const { record } of records) {
      for (const form of FORMS) {
        trial.check(`its record as ${form}`, '200 duplicate', said(await car.sendIn(form, record)));
      }
    }
    trial.check('the message as another format', '200 duplicate', said(await car.sendIn('cose', message.payload)));
    const signedAgain = { payload: message.payload, signature: car.sign(canonical(message.payload)) };
    trial.check('its record under another signature', '200 duplicate', said(await car.send(signedAgain)));
    trial.check('out of the batch', '200 duplicate', said(await car.send(batch[2])));
    const racing = await Promise.all(Array.from({ length: 10 }, () => car.send([message, ...batch])));
    trial.must(
      'ten at once',
      racing.every((seen) => said(seen) === '200 duplicate'),
      racing.map(said),
    );
    const stored = await storedMessages(car.id);
    trial.must('each is stored once', canonical(stored) === canonical(once), stored.length);
    trial.must('the window has not moved', JSON.stringify(await car.windows()) === JSON.stringify(before), 'it moved');
    await unharmed(trial);
  },
);
