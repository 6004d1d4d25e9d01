import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { Agent } from '../harness/agent.js';
import { loggedRecords, storedMessages } from '../harness/database.js';
import { ENDPOINTS_FILE, PROJECT } from '../harness/endpoints.js';
import { file, inFolder, newDeviceId } from '../harness/folder.js';
import { operator } from '../harness/operator.js';
import { outriderJson } from '../harness/outrider.js';
import { until } from '../harness/until.js';
import { makeDevice } from '../harness/vehicle.js';

/** The same platform, but for telemetry, where nobody listens: the vehicle is in the tunnel. */
function tunnel(): string {
  const endpoints = JSON.parse(readFileSync(ENDPOINTS_FILE, 'utf8'));
  const absolute = (path: string) => (path.startsWith('/') ? path : `${PROJECT}${path}`);
  endpoints.trust = Object.fromEntries(
    Object.entries(endpoints.trust as Record<string, string>).map(([name, path]) => [name, absolute(path)]),
  );
  endpoints.services.telemetry.vehicle = 'https://127.0.0.1:9';
  return file('tunnel-endpoints.json', JSON.stringify(endpoints));
}

describe('an hour in a tunnel', () => {
  it('costs no record: what grew too old is asked for, and delivered by the vehicle itself, also after kill -9', async () => {
    const id = newDeviceId('tunnel');
    const { folder } = await makeDevice(id);
    const args = ['run', '--state', inFolder(id), '--factory', folder, '--interval', '20ms', '--no-commands'];
    // The hour is not waited for: samples are dated an hour back.
    const inside = new Agent(...args, '--endpoints', tunnel(), '--dated-back', '60m');
    await inside.seen('enrolled');
    await inside.seen('offline');
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    await inside.kill();

    const outside = new Agent(...args, '--count', '20', '--interval', '100ms');
    expect({ code: await outside.ended, said: outside.said }).toEqual({ code: 0, said: '' });
    const [{ queued }] = outside.of('started') as unknown as [{ queued: number }];
    expect(queued).toBeGreaterThan(0);
    expect(outside.of('held').length).toBeGreaterThan(0);
    expect(outside.of('stopped')[0]).toMatchObject({ queued: 0, held: 0, refused: 0, sent: queued + 20 });

    const numbers = Array.from({ length: queued + 20 }, (_, index) => index + 1);
    await until('every record is there once', async () => {
      const seqs = [...(await loggedRecords(id)), ...(await storedMessages(id))].map(({ seq }) => seq);
      return JSON.stringify(seqs.sort((a, b) => a - b)) === JSON.stringify(numbers);
    });
    expect((await loggedRecords(id)).map(({ seq }) => seq)).toEqual(numbers.slice(0, queued));
    const { body } = await operator('telemetry', 'GET', `/v1/devices/${id}/fetch-orders`);
    const states = body.items.map((order: { state: string; issued_by: string }) => [order.state, order.issued_by]);
    expect(states).toContainEqual(['fulfilled', 'platform']);

    // All of it can be proven afterwards: by the service, and by whoever has the export and the fleet root.
    const all = { checked: queued + 20, verified: queued + 20, faulty: 0, formats: { log: queued } };
    const verified = await outriderJson('telemetry', 'verify', '--device', id);
    expect(verified).toMatchObject({ ok: true, ...all, logs: { faulty: 0, unanchored: 0 } });
    const out = inFolder('tunnel-export.ndjson');
    await outriderJson('telemetry', 'export', '--device', id, '--out', out);
    const report = await outriderJson('telemetry', 'verify-export', out);
    expect(report).toMatchObject({ ok: true, records: queued + 20, verified: queued + 20, faults: [], unanchored: 0 });
    expect(report.segments).toBeGreaterThan(0);
  });
});
