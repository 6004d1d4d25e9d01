import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from '@jest/globals';
import { file } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { serialOf } from '../harness/openssl.js';
import { outrider, outriderJson } from '../harness/outrider.js';
import { Vehicle } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);

interface Job {
  readonly id: string;
  readonly state: string;
  readonly counts: Readonly<Record<string, number>>;
}

async function until(look: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 20_000; !(await look()); await sleep(100))
    if (Date.now() > end) throw new Error('it did not come true');
}

const isServed = async (vehicle: Vehicle) => (await vehicle.askToken()).status === 200;

describe('by the command line', () => {
  test('a vehicle is held and released, and drives on with the certificate it has', async () => {
    const vehicle = await Vehicle.enrol('hold');
    await outriderJson('revoke', '--device', vehicle.id, '--reason', 'certificate-hold', '--wait-enforced');
    expect((await vehicle.askToken()).status).toBe(401);
    const state = async () => (await outriderJson<{ state: string }>('device', 'show', vehicle.id)).state;
    await until(async () => (await state()) === 'quarantined');
    const released = await outriderJson<{ released: object[]; still_denied: object[] }>(
      ...['release', '--device', vehicle.id, '--note', 'found', '--wait-enforced'],
    );
    expect(released).toMatchObject({ released: [{ device_id: vehicle.id }], still_denied: [] });
    await until(async () => (await state()) === 'active');
    await until(() => isServed(vehicle));
    expect((await outrider('release', '--device', vehicle.id)).code).toBe(1);
    const { items } = await outriderJson<{ items: object[] }>('revocations', 'list', '--device', vehicle.id);
    expect(items).toMatchObject([{ reason: 'certificateHold', released_at: expect.any(String) }]);
  });

  test('a file is looked at, revoked, and the same job when it is sent again', async () => {
    const [one, two] = [await Vehicle.enrol('file-one'), await Vehicle.enrol('file-two')];
    const path = file('stolen.csv', '');
    writeFileSync(path, `serial\n${await serialOf(one.certificate)}\n${await serialOf(two.certificate)}\n0badc0de\n`);
    const send = ['revoke', '--file', path, '--reason', 'cessation-of-operation'];
    const dry = await outriderJson<Job>(...send, '--dry-run');
    await until(async () => {
      const { state, counts } = await outriderJson<Job>('revocations', 'job', dry.id);
      return state === 'done' && counts.revoked === 2 && counts.unknown === 1;
    });
    expect(await isServed(one)).toBe(true);
    // One line names nothing that anybody knows: the exit code says so.
    expect((await outrider(...send, '--wait')).code).toBe(1);
    const again = await outriderJson<Job>(...send);
    expect(again).toMatchObject({ state: 'done', counts: { revoked: 2, unknown: 1 } });
    await until(async () => !(await isServed(one)) && !(await isServed(two)));
    const lines = await outrider('revocations', 'lines', again.id, '--outcome', 'unknown');
    expect(lines.stdout).toContain('0badc0de');
  });

  test('what is for later can be taken back, and many need a second person', async () => {
    const vehicle = await Vehicle.enrol('later');
    const at = new Date(Date.now() + 3_600_000).toISOString();
    const planned = await outriderJson<Job>('revoke', '--device', vehicle.id, '--reason', 'superseded', '--at', at);
    expect(planned.state).toBe('waiting');
    expect(await outriderJson<Job>('revocations', 'cancel', planned.id)).toMatchObject({ state: 'cancelled' });
    expect(await isServed(vehicle)).toBe(true);
    expect((await outrider('revoke', '--label', 'default', '--reason', 'superseded')).code).toBe(4);
  });
});
