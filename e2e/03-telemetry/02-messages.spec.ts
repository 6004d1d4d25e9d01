import { beforeAll, describe, expect } from '@jest/globals';
import { curl } from '../harness/curl.js';
import { storedMessages } from '../harness/database.js';
import { at } from '../harness/endpoints.js';
import { file } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { canonical, nowSeconds, type Payload, payloadOf, signed } from '../harness/message.js';
import { signEcdsa } from '../harness/openssl.js';
import { operator } from '../harness/operator.js';
import { until } from '../harness/until.js';
import { Vehicle } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);

describe('messages', () => {
  let vehicle: Vehicle;
  let other: Vehicle;
  let token: string;

  beforeAll(async () => {
    [vehicle, other] = [await Vehicle.enrol('messages'), await Vehicle.enrol('messages-other')];
    token = await vehicle.token();
  });

  const send = (body: unknown) => vehicle.sendTelemetry(body, token);
  const message = (seq: number, ts?: number) => signed(payloadOf(vehicle.id, seq, ts), vehicle.key);
  const storedSeqs = async () => (await storedMessages(vehicle.id)).map(({ seq }) => seq);

  async function expectRefused(body: unknown, status: number, code: string): Promise<void> {
    const before = await storedSeqs();
    const answer = await send(body);
    expect({ status: answer.status, code: answer.json().code }).toEqual({ status, code });
    expect(await storedSeqs()).toEqual(before);
  }

  test('signed by openssl, the signature in DER and in hex or base64url', async () => {
    const bySelf = async (payload: Payload, encoding: 'hex' | 'base64url') => {
      const signature = (await signEcdsa(vehicle.key, canonical(payload))).toString(encoding);
      return (await send({ payload, signature })).json();
    };
    expect(await bySelf(payloadOf(vehicle.id, 1), 'hex')).toMatchObject({ results: [{ seq: 1, verdict: 'accepted' }] });
    expect(await bySelf(payloadOf(vehicle.id, 2), 'base64url')).toMatchObject({
      results: [{ seq: 2, verdict: 'accepted' }],
    });
  });

  test('in an array: a verdict each, the good ones stored', async () => {
    const answer = await send([message(3), { ...message(4), signature: message(5).signature }, message(6), message(3)]);
    expect(answer.status).toBe(200);
    expect(answer.json()).toMatchObject({
      results: [
        { seq: 3, verdict: 'accepted' },
        { seq: 4, verdict: 'bad_signature', code: 'telemetry.bad_signature' },
        { seq: 6, verdict: 'accepted' },
        { seq: 3, verdict: 'duplicate' },
      ],
      windows: [{ stream: 'main', epoch: 0, highest: 6, missing: [[4, 5]] }],
      accepted: 2,
    });
    expect(await storedSeqs()).toEqual([1, 2, 3, 6]);
  });

  test('as NDJSON', async () => {
    const lines = file('lines.ndjson', [message(4), message(5)].map((one) => `${JSON.stringify(one)}\n`).join(''));
    const headers = ['-H', `Authorization: Bearer ${token}`, '-H', 'Content-Type: application/x-ndjson'];
    const answer = await curl(
      `${at('telemetry', 'vehicle')}/v1/telemetry`,
      [...headers, '--data-binary', `@${lines}`],
      vehicle,
    );
    expect(answer.json()).toMatchObject({ accepted: 2, windows: [{ highest: 6, missing: [] }] });
  });

  test('sent ten times at once: accepted once, acknowledged each time, stored once', async () => {
    const once = message(7);
    const answers = await Promise.all(Array.from({ length: 10 }, () => send(once)));
    const verdicts = answers.map((answer) => answer.json().results[0].verdict).sort();
    expect(verdicts).toEqual(['accepted', ...Array.from({ length: 9 }, () => 'duplicate')]);
    expect((await storedSeqs()).filter((seq) => seq === 7)).toEqual([7]);
  });

  test('with a number that another record used', async () => {
    const another = { ...payloadOf(vehicle.id, 7), telemetry: { speed: 1 } };
    await expectRefused(signed(another, vehicle.key), 409, 'telemetry.replayed');
  });

  test('too early, too late', async () => {
    await expectRefused(message(10, nowSeconds() - 300), 422, 'telemetry.skewed');
    await expectRefused(message(10, nowSeconds() + 300), 422, 'telemetry.skewed');
  });

  test('far ahead: a bad signature moves nothing, a good one is a jump', async () => {
    await expectRefused({ ...message(900_000), signature: message(1).signature }, 422, 'telemetry.bad_signature');
    await expectRefused(message(1_000_008), 422, 'telemetry.jump');
    const { windows } = (await send(message(8))).json();
    expect(windows[0].highest).toBe(8);
  });

  test("of another vehicle, or signed by another's key", async () => {
    await expectRefused(signed(payloadOf(other.id, 9), vehicle.key), 403, 'telemetry.wrong_device');
    await expectRefused(signed(payloadOf(vehicle.id, 9), other.key), 422, 'telemetry.bad_signature');
    expect(await storedMessages(other.id)).toEqual([]);
  });

  test('that are none', async () => {
    await expectRefused({ payload: payloadOf(vehicle.id, 9) }, 400, 'telemetry.invalid');
    for (const seq of [0, -1, 1.5, 2 ** 53, '7', null]) {
      await expectRefused(
        signed({ ...payloadOf(vehicle.id, 1), seq: seq as number }, vehicle.key),
        400,
        expect.stringMatching(/^(telemetry\.invalid|request\.malformed)$/) as never,
      );
    }
    const headers = ['-H', `Authorization: Bearer ${token}`];
    const url = `${at('telemetry', 'vehicle')}/v1/telemetry`;
    const text = await curl(url, [...headers, '-H', 'Content-Type: text/plain', '-d', 'hello'], vehicle);
    expect({ status: text.status, code: text.json().code }).toEqual({
      status: 415,
      code: 'request.unsupported_media_type',
    });
    const large = file('large.json', `[${' '.repeat(2 ** 20)}]`);
    const json = ['-H', 'Content-Type: application/json', '--data-binary', `@${large}`];
    const oversize = await curl(url, [...headers, ...json], vehicle);
    expect({ status: oversize.status, code: oversize.json().code }).toEqual({ status: 413, code: 'request.too_large' });
    expect((await curl(url, headers, vehicle)).status).toBe(405);
  });

  test('the window says what is missing', async () => {
    await send(message(12));
    const window = await curl(
      `${at('telemetry', 'vehicle')}/v1/telemetry/window?stream=main`,
      ['-H', `Authorization: Bearer ${token}`],
      vehicle,
    );
    expect(window.json()).toMatchObject({ windows: [{ stream: 'main', highest: 12, missing: [[9, 11]] }] });
  });

  test('every refusal is in the decision log with its code', async () => {
    for (const code of [
      'telemetry.replayed',
      'telemetry.skewed',
      'telemetry.jump',
      'telemetry.wrong_device',
      'telemetry.bad_signature',
    ]) {
      await until(`${code} in the log`, async () => {
        const { body } = await operator('gateway', 'GET', `/v1/decisions?device=${vehicle.id}&code=${code}`);
        return body.items.length > 0;
      });
    }
  });
});
