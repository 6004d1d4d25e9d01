import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it, test } from '@jest/globals';
import { Agent } from '../harness/agent.js';
import { query, storedMessages } from '../harness/database.js';
import { inFolder, newDeviceId } from '../harness/folder.js';
import { recordedDrives } from '../harness/installed.js';
import { outrider, outriderJson } from '../harness/outrider.js';
import { until } from '../harness/until.js';
import { makeDevice } from '../harness/vehicle.js';

const COUNT = 12;
const seqs = Array.from({ length: COUNT }, (_, index) => index + 1);

/** Drives one new vehicle for COUNT samples, to the end, and returns its id. */
async function drive(name: string, ...options: string[]): Promise<{ id: string; agent: Agent }> {
  const id = newDeviceId(name);
  const { folder } = await makeDevice(id);
  const args = ['--state', inFolder(id), '--factory', folder, '--count', String(COUNT), '--interval', '50ms'];
  const agent = new Agent('run', ...args, ...options);
  expect({ code: await agent.ended, said: agent.said }).toEqual({ code: 0, said: '' });
  expect([...(agent.acknowledged().get(id) ?? [])].sort((a, b) => a - b)).toEqual(seqs);
  return { id, agent };
}

const telemetryOf = async (id: string) =>
  (await storedMessages(id)).map(({ payload }) => JSON.parse(payload).telemetry as { lat: number; lon: number });

describe('the vehicle agent', () => {
  it.each(['P-256', 'Ed25519'])('enrols with a %s key and streams a simulated drive, called so', async (keyType) => {
    const { id, agent } = await drive('agent', '--key-type', keyType);
    expect(agent.of('started')[0]).toMatchObject({ drive: expect.stringMatching(/simulated/) });
    expect((await storedMessages(id)).map(({ seq }) => seq)).toEqual(seqs);
    await until('the command line shows them all', async () => {
      const { stdout } = await outrider('telemetry', 'tail', '--device', id, '--all', '--no-follow', '--json');
      const read = stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => (JSON.parse(line) as { seq: number }).seq);
      return JSON.stringify(read) === JSON.stringify(seqs);
    });
  });

  it.each(['cose', 'json-batch', 'cose-batch'])('sends %s when it is asked to', async (format) => {
    const { id } = await drive(format, '--format', format);
    expect((await storedMessages(id)).map(({ seq }) => seq)).toEqual(seqs);
    const formats = await query<{ format: string }>(
      'SELECT DISTINCT format FROM telemetry.messages WHERE device_id = $1',
      [id],
    );
    expect(formats).toEqual([{ format }]);
  });

  it('goes on where it stopped', async () => {
    const id = newDeviceId('resume');
    const { folder } = await makeDevice(id);
    const args = ['--state', inFolder(id), '--factory', folder, '--count', '3', '--interval', '20ms'];
    for (const run of [1, 2]) {
      const agent = new Agent('run', ...args);
      expect({ run, code: await agent.ended }).toEqual({ run, code: 0 });
      expect(agent.of('enrolled')).toHaveLength(run === 1 ? 1 : 0);
    }
    expect((await storedMessages(id)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('is many vehicles at once', async () => {
    const prefix = `${newDeviceId('fleet')}-`;
    const options = ['--vehicles', '10', '--prefix', prefix, '--count', '5', '--interval', '100ms'];
    const agent = new Agent('simulate', '--state', inFolder('fleet'), ...options);
    expect({ code: await agent.ended, said: agent.said }).toEqual({ code: 0, said: '' });
    const { items } = await outriderJson<{ items: { device_id: string; state: string }[] }>('device', 'list');
    const mine = items.filter(({ device_id }) => device_id.startsWith(prefix));
    expect(mine.map(({ state }) => state)).toEqual(Array.from({ length: 10 }, () => 'active'));
    for (const { device_id } of mine) expect(await storedMessages(device_id)).toHaveLength(5);
  });
});

describe('recorded drives', () => {
  const drives = recordedDrives();
  if (drives.length === 0) test.skip('a real trip (skipped: ../shared/drives is not there)', () => {});
  for (const path of drives) {
    it(`delivers ${basename(path)} as it was driven`, async () => {
      const { id } = await drive('drive', '--drive', path, '--speed', '20');
      const [head = '', first = ''] = readFileSync(path, 'utf8').split(/\r?\n/);
      const row = new Map(head.split(',').map((name, index) => [name, Number(first.split(',')[index])]));
      const stored = await telemetryOf(id);
      expect(stored).toHaveLength(COUNT);
      expect(stored[0]).toMatchObject({ lat: row.get('LAT'), lon: row.get('LON') });
    });
  }
});
