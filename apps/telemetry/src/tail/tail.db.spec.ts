import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TestOperator } from '../reading/operator.fixture.js';
import { type Ground, prepareGround, type Service, startService, until } from '../telemetry.fixture.js';

let ground: Ground;
let first: Service;
let second: Service;
let operator: TestOperator;

beforeAll(async () => {
  ground = await prepareGround();
  [first, second] = await Promise.all([startService(ground, 1), startService(ground, 2)]);
  operator = new TestOperator(ground, first);
}, 60_000);

afterAll(async () => {
  operator?.close();
  await ground?.stop();
});

const seqs = ({ events }: { events: readonly { data: { seq: number } }[] }) => events.map(({ data }) => data.seq);

describe('a live tail', () => {
  it('shows what any instance commits, each once and in order, and no other device', async () => {
    const [car, other] = await Promise.all([ground.vehicle('device-live'), ground.vehicle('device-beside')]);
    await car.post(first, car.message(1));
    const tail = operator.follow('/v1/devices/device-live/telemetry/tail?last=5');
    await until(() => tail.events.length === 1, 20_000);
    for (let seq = 2; seq <= 21; seq++) {
      await car.post(seq % 2 === 0 ? first : second, car.message(seq));
      await other.post(first, other.message(seq));
    }
    await until(() => tail.events.length >= 21, 20_000);
    expect(seqs(tail)).toEqual(Array.from({ length: 21 }, (_, index) => index + 1));
    expect(tail.events[0]).toMatchObject({
      event: 'record',
      id: expect.stringMatching(/./),
      data: { device_id: 'device-live', telemetry: { speed: 42.5 } },
    });
    tail.stop();
  });

  it('goes on where a reader was cut off', async () => {
    const car = await ground.vehicle('device-resume');
    await car.post(
      first,
      [1, 2, 3].map((seq) => car.message(seq)),
    );
    const before = operator.follow('/v1/devices/device-resume/telemetry/tail?last=3');
    await until(() => before.events.length === 3, 20_000);
    before.stop();
    await car.post(first, car.message(4));
    const headers = { 'last-event-id': before.events[1]!.id! };
    const after = operator.follow('/v1/devices/device-resume/telemetry/tail?view=raw', headers);
    await until(() => after.events.length === 2, 20_000);
    expect(seqs(after)).toEqual([3, 4]);
    expect(after.events[0]!.data).toMatchObject({ payload: expect.stringContaining('device-resume') });
    after.stop();
  });

  it('shows nothing more to an operator whose right has ended, and says why', async () => {
    const car = await ground.vehicle('device-withdrawn');
    const token = ground.authority.operatorToken('device:read');
    const tail = operator.follow('/v1/devices/device-withdrawn/telemetry/tail', { authorization: `Bearer ${token}` });
    await until(() => tail.state.status === 200, 20_000);
    await car.post(first, car.message(1));
    await until(() => tail.events.length === 1, 20_000);
    const { jti } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
    ground.authority.deny('token', jti);
    await until(() => tail.state.ended, 20_000);
    await car.post(first, car.message(2));
    expect(tail.events.map(({ event }) => event)).toEqual(['record', 'error']);
    expect(tail.events[1]!.data).toMatchObject({ code: 'denylist.token' });
  });

  it('is for operators who may read, in the form that it has, and for so many at once', async () => {
    const path = '/v1/devices/device-live/telemetry/tail';
    const vehicleToken = { authorization: `Bearer ${(await ground.vehicle('device-no-operator')).token()}` };
    expect(await operator.get(path, vehicleToken)).toMatchObject({ status: 401 });
    const other = { authorization: `Bearer ${ground.authority.operatorToken('policy:read')}` };
    expect(await operator.get(path, other)).toMatchObject({ status: 403 });
    expect(await operator.get(path, { accept: 'application/json' })).toMatchObject({ status: 406 });
    expect(await operator.get(`${path}?after=!`)).toMatchObject({ status: 400 });
    const tails = Array.from({ length: 63 }, () => operator.follow(path));
    const last = new TestOperator(ground, first);
    const more = last.follow(path);
    await until(() => [...tails, more].every(({ state }) => state.status === 200), 20_000);
    expect(await last.get(path)).toMatchObject({ status: 503, headers: { 'retry-after': expect.any(String) } });
    for (const tail of [...tails, more]) tail.stop();
    await until(async () => {
      const again = last.follow(path);
      await until(() => again.state.status !== 0, 20_000);
      again.stop();
      return again.state.status === 200;
    }, 20_000);
    last.close();
  });

  it('ends when the instance stops, and goes on at another one', async () => {
    const car = await ground.vehicle('device-moved');
    const extra = await startService(ground, 3);
    const there = new TestOperator(ground, extra);
    const tail = there.follow('/v1/devices/device-moved/telemetry/tail');
    await until(() => tail.state.status === 200, 20_000);
    await car.post(first, car.message(1));
    await until(() => tail.events.length === 1, 20_000);
    await extra.close();
    there.close();
    await car.post(first, car.message(2));
    const again = operator.follow('/v1/devices/device-moved/telemetry/tail', { 'last-event-id': tail.events[0]!.id! });
    await until(() => again.events.length === 1, 20_000);
    expect(seqs(again)).toEqual([2]);
    again.stop();
  });
});
