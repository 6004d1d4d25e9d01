/** Policies before a command goes out: when it is sent, and again at its release. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CommandId } from '@outrider/ids';
import { Policies } from '@outrider/platform/policy';
import { BatchRequest } from '../batch/batch.js';
import { BatchesService } from '../batch/batches.service.js';
import { newDevice, RIGHTS, type Suite, startSuite, until } from '../command.fixture.js';
import { DeliveryService } from '../delivery/delivery.service.js';
import { CommandReader } from '../send/command-reader.service.js';

let suite: Suite;

beforeAll(async () => {
  suite = await startSuite();
}, 60_000);
afterAll(async () => {
  await suite?.stop();
});

const send = (...args: Parameters<Suite['send']>) => suite.send(...args);
const deliver = (...args: Parameters<Suite['deliver']>) => suite.deliver(...args);
const stateOf = (id: string) => suite.stateOf(id);

describe('policies', () => {
  const MOVING = { speedKmh: 42, telemetryAgeSeconds: 1 };
  const parked = { speedKmh: 0, telemetryAgeSeconds: 1 };
  const history = async (id: CommandId) => (await suite.app.get(CommandReader).show(id)).history;
  /** Longer than an answer about a vehicle is kept. */
  const later = () => new Promise((resolve) => setTimeout(resolve, 1100));

  /** The newest decision, once it is a refusal by policy for this vehicle. */
  async function logged(device: string): Promise<object> {
    const log = await suite.nats.connectAs('provisioner');
    let made: { code?: string; deviceId?: string } = {};
    await until(async () => {
      const query = JSON.stringify({ last_by_subj: 'command.decision.made.v1' });
      const { message } = (await log.request('$JS.API.STREAM.MSG.GET.EVENTS', query)).json<{
        message?: { data: string };
      }>();
      made = message ? JSON.parse(Buffer.from(message.data, 'base64').toString()) : {};
      return made.code === 'policy.denied' && made.deviceId === device;
    });
    await log.close();
    return made;
  }

  it('refuse to move anything on a vehicle that drives, and leave the key free', async () => {
    const device = newDevice();
    suite.gateway.tell(device, MOVING);
    await expect(send(device, { name: 'unlock' }, 'moving')).rejects.toMatchObject({
      code: 'policy.denied',
      status: 403,
      detail: 'no-remote-control-while-moving',
    });
    const { id } = await send(device, { name: 'honk' }, 'moving');
    expect(await history(id)).toEqual([
      { state: 'queued', at: expect.any(String), policies: ['dispatch-by-operators'], policy_version: 1 },
    ]);
    expect(await logged(device)).toMatchObject({
      action: 'POST /v1/vehicles/:device/commands',
      subject: 'op:1',
      policies: ['no-remote-control-while-moving'],
    });
  });

  it('are named in a preview, vehicle by vehicle, and what they refuse there is logged as well', async () => {
    const [moving, still] = [newDevice(), newDevice()];
    suite.gateway.tell(moving, MOVING);
    suite.gateway.tell(still, parked);
    const sender = { roles: ['fleet-operator'], secondFactor: false, elevated: false };
    const requester = { subject: 'op:2', attributes: sender, scopes: RIGHTS, evidence: {}, until: new Date() };
    const body = BatchRequest.parse({ name: 'unlock', target: { devices: [moving, still] } });
    expect(await suite.app.get(BatchesService).preview(body, requester, new Date())).toMatchObject({
      could_have_it: 1,
      refused: [{ code: 'policy.denied', detail: 'no-remote-control-while-moving', count: 1, devices: [moving] }],
    });
    expect(await logged(moving)).toMatchObject({
      action: 'POST /v1/command-batches/preview',
      subject: 'op:2',
      policies: ['no-remote-control-while-moving'],
    });
  });

  it('are asked again at the release: what was parked may drive by then', async () => {
    const device = newDevice();
    suite.gateway.tell(device, parked);
    const { id } = await send(device, { name: 'unlock' });
    await send(device, { name: 'honk' });
    expect(await deliver(device)).toMatchObject({ id, critical: true });
    suite.gateway.tell(device, MOVING);
    await later();
    await expect(
      suite.app.get(DeliveryService).answerNonce(id, { deviceId: device, mayCritical: true }, 'n'.repeat(22)),
    ).rejects.toMatchObject({
      code: 'command.state_conflict',
    });
    expect(await suite.app.get(CommandReader).show(id)).toMatchObject({
      state: 'cancelled',
      reason: 'policy: no-remote-control-while-moving',
    });
    expect((await history(id)).at(-1)).toMatchObject({
      policies: ['no-remote-control-while-moving'],
      policy_version: 1,
    });
    expect(await deliver(device)).toMatchObject({ critical: false, jws: expect.any(String) });
  });

  it('cancel what is not critical as well, and the next in line goes out at once', async () => {
    const device = newDevice();
    const { id } = await send(device, { name: 'honk' });
    const next = await send(device, { name: 'locate' });
    const silence = `forbid (principal, action == Outrider::Action::"dispatch_command", resource) when { context.command.name == "honk" };`;
    suite.gateway.publish({ silence });
    await until(() => suite.app.get(Policies).version === 2);
    expect(await deliver(device)).toMatchObject({ id: next.id });
    expect((await history(id)).at(-1)).toMatchObject({ state: 'cancelled', policies: ['silence'], policy_version: 2 });
    suite.gateway.publish();
    await until(() => suite.app.get(Policies).version === 3);
  });

  it('while nobody can say what is known of the vehicle, nothing is sent and nothing released', async () => {
    const device = newDevice();
    const { id } = await send(device, { name: 'honk' });
    await later();
    suite.gateway.away = true;
    await expect(send(device, { name: 'honk' })).rejects.toMatchObject({ code: 'service.upstream_unavailable' });
    await expect(deliver(device)).rejects.toMatchObject({ status: 503 });
    suite.gateway.away = false;
    expect(await stateOf(id)).toBe('queued');
    expect(await deliver(device)).toMatchObject({ id });
  });
});
