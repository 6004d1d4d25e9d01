import { cbor } from '../harness/cbor.js';
import { storedMessages } from '../harness/database.js';
import { deniedInLog } from '../harness/decisions.js';
import { COSE, coseSign1, jws } from '../harness/formats.js';
import { nowSeconds } from '../harness/message.js';
import { attack, type Trial } from './attack.js';
import { type Party, unharmed, victim } from './cast.js';
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

/** 2^53 is no number of JSON's; the others are numbers, or no numbers at all, in CBOR too. */
const IN_CBOR: [string, unknown][] = [
  ['0', 0],
  ['-1', -1],
  ['1.5', 1.5],
  ['2^53', 2n ** 53n],
  ['2^64-1', 2n ** 64n - 1n],
  ['"7"', '7'],
  ['null', null],
  ['undefined', undefined],
  ['bytes', Buffer.of(7)],
  ['a list', [7]],
  ['true', true],
];

async function inOtherFormats(trial: Trial, car: Party): Promise<void> {
  const shapeError = /^400 (telemetry\.invalid|request\.malformed)$/;
  const record = { device_id: car.id, telemetry: { speed: 1 }, ts: nowSeconds() };
  for (const [name, seq] of IN_CBOR) {
    const body = coseSign1(cbor({ ...record, seq }), car.signBytes);
    trial.check(`seq ${name} in CBOR`, shapeError, said(await car.send(body, undefined, COSE)));
  }
  const bignum = Buffer.concat([cbor({ ...record, seq: 7 }).subarray(0, -1), Buffer.of(0xc2, 0x41, 0x07)]);
  const seen = said(await car.send(coseSign1(bignum, car.signBytes), undefined, COSE));
  trial.check('seq as a bignum', shapeError, seen);
  for (const seq of NUMBERS) {
    const text = `{"device_id":"${car.id}","seq":${seq},"telemetry":{"speed":1},"ts":${nowSeconds()}}`;
    const answer = said(await car.send(jws(text, car.signBytes), undefined, 'application/jose'));
    trial.check(`seq ${seq} in a JWS`, shapeError, answer);
  }
}

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
    await inOtherFormats(trial, car);
    trial.must('nothing is stored', (await storedMessages(car.id)).length === stored, 'a message more');
    await deniedInLog('telemetry.invalid', { device: car.id });
    await unharmed(trial);
  },
);
