import { beforeAll, describe, expect, it } from '@jest/globals';
import { elevatedToken } from '../harness/elevation.js';
import { file, newDeviceId } from '../harness/folder.js';
import { approverToken, operator } from '../harness/operator.js';
import { outrider, outriderJson } from '../harness/outrider.js';
import { until } from '../harness/until.js';
import { Vehicle } from '../harness/vehicle.js';

/** More than one operator alone may send to (`batches.approvalAbove`). */
const MANY = 26;

interface Batch {
  readonly id: string;
  readonly state: string;
  readonly matched: number;
  readonly devices: Record<string, number>;
  readonly commands: Record<string, number>;
}

describe('one command to more vehicles than one operator alone may send to', () => {
  const label = newDeviceId('many');
  const target = ['--label', label, '--state', 'registered'];
  let id: string;

  beforeAll(async () => {
    const lines = Array.from({ length: MANY }, (_, n) => {
      const device_id = `${label}-${n}`;
      const device = { device_id, manufacturer: 'demo-motors', serial_number: device_id };
      return JSON.stringify({ ...device, grants: ['command:receive'], labels: [label] });
    });
    await outriderJson('device', 'import', file(`${label}.ndjson`, `${lines.join('\n')}\n`));
    await until('the command service knows them', async () => {
      const { code, stdout } = await outrider('command', 'batch', 'send', 'honk', ...target, '--preview', '--json');
      return code === 0 && (JSON.parse(stdout) as Batch).matched === MANY;
    });
  }, 120_000);

  it('waits for somebody else, who has just shown two factors', async () => {
    const sent = await outriderJson<Batch>('command', 'batch', 'send', 'honk', ...target, '--expires-in', '600');
    expect(sent).toMatchObject({ state: 'awaiting_approval', matched: MANY });
    id = sent.id;
    expect((await outrider('command', 'batch', 'approve', id)).code).toBe(4);
    const token = approverToken();
    const answer = await operator('command', 'POST', `/v1/command-batches/${id}/approve`, { token });
    expect(answer).toMatchObject({ status: 401, body: { code: 'auth.step_up_required' } });
    expect((await outriderJson<Batch>('command', 'batch', 'show', id)).devices).toEqual({ pending: MANY });
  });

  it('goes out when they agree, a command a vehicle, and is taken back whole', async () => {
    await outriderJson('login', '--as', 'local-officer');
    await outriderJson('command', 'batch', 'approve', id, '--as', 'local-officer');
    const shown = () => outriderJson<Batch>('command', 'batch', 'show', id);
    await until('every vehicle has its command', async () => (await shown()).state === 'done');
    expect(await shown()).toMatchObject({ devices: { sent: MANY }, commands: { queued: MANY } });
    await outriderJson('command', 'batch', 'cancel', id);
    await until('it is taken back', async () => (await shown()).state === 'cancelled');
    expect((await shown()).commands).toEqual({ cancelled: MANY });
  }, 120_000);
});

describe('a quarantined vehicle', () => {
  it('is reached by recovery commands and by nothing else', async () => {
    const vehicle = await Vehicle.enrol('recovered');
    const { id } = vehicle;
    await outriderJson('command', 'send', id, 'honk');
    await outriderJson('block', id, '--reason', 'a test');
    const control = await vehicle.token('command:receive command:critical');
    const refused = await vehicle.send('command', 'GET', '/v1/commands/next', control);
    expect([refused.status, JSON.parse(refused.body).code]).toEqual([403, 'denylist.device']);
    await until('its quarantine is known', async () => {
      const refused = await outrider('command', 'send', id, 'honk');
      return refused.code === 1 && refused.stderr.includes('quarantined');
    });
    const sent = await operator('command', 'POST', `/v1/vehicles/${id}/commands`, {
      body: { name: 'recover' },
      token: await elevatedToken('command:send-critical'),
      headers: { 'idempotency-key': newDeviceId('key') },
    });
    expect(sent).toMatchObject({ status: 202, body: { critical: true } });
    expect((await vehicle.askToken('telemetry:write')).json().code).toBe('denylist.device');
    const token = await vehicle.token('command:receive command:critical');
    const next = await vehicle.send('command', 'GET', '/v1/commands/next', token);
    expect(JSON.parse(next.body)).toMatchObject({ command: { id: sent.body.id, critical: true } });
    await outriderJson('unblock', id, '--reason', 'the test is over');
    await vehicle.close();
  }, 120_000);
});
