import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Ground, prepareGround, type Service, startService, TestVehicle, until } from '../telemetry.fixture.js';

const ROOT = join(import.meta.dirname, '../../../..');
const EXAMPLE = join(ROOT, 'docs/examples/telemetry-consumer.mjs');
const PROVISION = join(ROOT, 'libs/platform/dist/nats/provision.command.js');

let ground: Ground;
let service: Service;
let car: TestVehicle;

beforeAll(async () => {
  ground = await prepareGround();
  service = await startService(ground, 1);
  car = await TestVehicle.create(ground, 'device-teams');
}, 60_000);

afterAll(async () => {
  car?.close();
  await service?.close();
  await ground?.stop();
});

async function run(program: string, args: string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, [program, ...args], { timeout: 25_000 })).stdout;
}

function provision(...more: string[]): Promise<string> {
  const { url, passwordFile } = ground.nats;
  return run(PROVISION, ['--url', url, '--password-file', passwordFile, '--team', 'example', ...more]);
}

/** The numbers that the example of docs/ prints. */
async function heard(count: number): Promise<number[]> {
  const { url, passwordFile } = ground.nats;
  const out = await run(EXAMPLE, [url, passwordFile, '--count', String(count)]);
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).seq);
}

describe("a platform team's consumer, as docs/examples shows it", () => {
  it('hears what was accepted, goes on where it stopped, and begins again at a point in time', async () => {
    expect(existsSync(EXAMPLE)).toBe(true);
    await provision();
    await car.post(
      service,
      [1, 2].map((seq) => car.message(seq)),
    );
    expect(await heard(2)).toEqual([1, 2]);
    await provision();
    const between = new Date();
    await car.post(
      service,
      [3, 4].map((seq) => car.message(seq)),
    );
    expect(await heard(2)).toEqual([3, 4]);
    await provision('--replay-from', between.toISOString());
    expect(await heard(2)).toEqual([3, 4]);
    await provision('--replay-from', '2020-01-01T00:00:00Z');
    expect(await heard(4)).toEqual([1, 2, 3, 4]);
  });

  it('may do nothing else', async () => {
    const connection = await ground.nats.connectAs('team-example');
    const refused: unknown[] = [];
    void (async () => {
      for await (const status of connection.status()) if (status.type === 'error') refused.push(status.error);
    })();
    for (const subject of [
      'telemetry.message.accepted.v1.device-teams',
      'ca.certificate.sign.v1',
      '$JS.API.CONSUMER.CREATE.EVENTS.mine',
      '$JS.API.STREAM.MSG.GET.EVENTS',
      '$KV.DENYLIST.device.x',
    ])
      connection.publish(subject, '{}');
    for (const subject of ['telemetry.message.accepted.v1.*', '_INBOX.telemetry.>', '>']) {
      connection.subscribe(subject, { callback: () => undefined });
    }
    await until(() => refused.length >= 8, 20_000);
    await connection.close();
    expect(refused.map(String)).toEqual(Array.from({ length: 8 }, () => expect.stringMatching(/permission/i)));
  });

  it('is made by its name alone, and by the provisioner', async () => {
    const { url, passwordFile } = ground.nats;
    const access = ['--url', url, '--password-file', passwordFile];
    for (const wrong of [
      ['--team', 'No'],
      ['--replay-from', '2020-01-01T00:00:00Z'],
      ['--team', 'a', '--replay-from', 'x'],
    ]) {
      await expect(run(PROVISION, [...access, ...wrong])).rejects.toMatchObject({ code: 2 });
    }
  });
});
