import { beforeAll, describe, expect } from '@jest/globals';
import { storedMessages } from '../harness/database.js';
import { itWith } from '../harness/installed.js';
import { operator } from '../harness/operator.js';
import { signedByPython } from '../harness/python.js';
import { until } from '../harness/until.js';
import { Vehicle } from '../harness/vehicle.js';

const test = itWith(['python3-nacl', 'curl', 'openssl']);

describe("a message by Python's nacl", () => {
  let vehicle: Vehicle;
  let token: string;
  let body: string;

  beforeAll(async () => {
    vehicle = await Vehicle.enrol('nacl', 'Ed25519');
    token = await vehicle.token();
  });

  test('is accepted', async () => {
    body = await signedByPython(vehicle.key, vehicle.id, 1234);
    const answer = await vehicle.sendTelemetry(body, token);
    expect({ status: answer.status, body: answer.json() }).toEqual({
      status: 200,
      body: {
        results: [{ seq: 1234, verdict: 'accepted' }],
        windows: [expect.objectContaining({ stream: 'main', epoch: 0, highest: 1234 })],
        accepted: 1,
      },
    });
  });

  test('is acknowledged again and stored once', async () => {
    const again = await vehicle.sendTelemetry(body, token);
    expect({ status: again.status, body: again.json() }).toMatchObject({
      status: 200,
      body: { results: [{ seq: 1234, verdict: 'duplicate' }], accepted: 0 },
    });
    expect(await storedMessages(vehicle.id)).toHaveLength(1);
  });

  test('may say numbers and letters as Python prints them', async () => {
    const odd = await signedByPython(vehicle.key, vehicle.id, 1235, {
      whole: 42.0,
      small: 1e-7,
      street: 'Königstraße',
    });
    const answer = await vehicle.sendTelemetry(odd, token);
    expect(answer.json()).toMatchObject({ results: [{ seq: 1235, verdict: 'accepted' }] });
  });

  test('is what operators read, as it was signed', async () => {
    // A page ends shortly before now, so that whoever follows the cursors misses nothing.
    const items = await until('both can be read', async () => {
      const { body: page } = await operator('telemetry', 'GET', `/v1/devices/${vehicle.id}/telemetry`);
      return page.items.length === 2 && page.items;
    });
    expect(items.map(({ seq }: { seq: number }) => seq)).toEqual([1234, 1235]);
    const [first] = items;
    const sent = JSON.parse(body);
    expect(first).toMatchObject({
      device_id: vehicle.id,
      stream: 'main',
      epoch: 0,
      signature: sent.signature,
      thumbprint: await vehicle.thumbprint(),
    });
    expect(JSON.parse(first.payload)).toEqual(sent.payload);
    expect(body).toContain(first.payload);
  });

  test('with one letter changed is refused, and leaves nothing', async () => {
    const signed = await signedByPython(vehicle.key, vehicle.id, 1300);
    const answer = await vehicle.sendTelemetry(signed.replace('42.3', '42.4'), token);
    expect({ status: answer.status, type: answer.headers['content-type'], body: answer.json() }).toMatchObject({
      status: 422,
      type: expect.stringContaining('application/problem+json'),
      body: { code: 'telemetry.bad_signature', results: [{ seq: 1300, verdict: 'bad_signature' }], accepted: 0 },
    });
    expect(await storedMessages(vehicle.id)).toHaveLength(2);
  });
});
