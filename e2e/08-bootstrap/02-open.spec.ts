import { beforeAll, describe, expect } from '@jest/globals';
import { Agent } from '../harness/agent.js';
import { inFolder, newDeviceId } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { newKey, newRequest } from '../harness/openssl.js';
import { outrider, outriderJson } from '../harness/outrider.js';
import { est, type Factory, makeDevice } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);
const codeOf = (body: string) => body.split(':', 1)[0];
/** The CLI's factory gives `DM-<NAME>` as the serial number. */
const openId = (name: string) => `demo-motors-dm-${name}`;

describe('a device that nobody registered', () => {
  const name = newDeviceId('walkin');
  let factory: Factory;
  let key: string;

  beforeAll(async () => {
    factory = await makeDevice(name, '--no-register');
    key = await newKey(`${name}.key`, 'P-256');
  });

  test('gets in nowhere but under `open`', async () => {
    const answer = await est('simpleenroll', await newRequest(key, `/CN=${openId(name)}`), factory);
    expect([answer.status, codeOf(answer.body)]).toEqual([403, 'est.device_unknown']);
  });

  test('not under a name of its own choice, and is not registered by trying', async () => {
    const answer = await est('open/simpleenroll', await newRequest(key, `/CN=${name}`), factory);
    expect([answer.status, codeOf(answer.body)]).toEqual([400, 'est.csr_name_mismatch']);
    expect((await outrider('device', 'show', openId(name))).code).toBe(1);
  });

  test('is registered with its first certificate, under a name that its factory identity gives', async () => {
    const answer = await est('open/simpleenroll', await newRequest(key, `/CN=${openId(name)}`), factory);
    expect(answer.status).toBe(200);
    const shown = await outriderJson<{ state: string; serial_number: string }>('device', 'show', openId(name));
    expect(shown).toMatchObject({ state: 'active', manufacturer: 'demo-motors' });
  });

  test('never takes the place of another', async () => {
    const victim = newDeviceId('taken');
    // Registered for other hardware, under the name that this one's identity would give.
    await makeDevice(openId(victim));
    const squatter = await makeDevice(victim, '--no-register');
    const own = await newKey(`${victim}.key`, 'P-256');
    for (const subject of ['/', `/CN=${openId(victim)}`]) {
      const answer = await est('open/simpleenroll', await newRequest(own, subject), squatter);
      expect([answer.status, codeOf(answer.body)]).toEqual([403, 'est.device_unknown']);
    }
    expect(await outriderJson('device', 'show', openId(victim))).toMatchObject({ state: 'registered' });
  });

  test('may be an agent', async () => {
    const id = newDeviceId('walkin-agent');
    const { folder } = await makeDevice(id, '--no-register');
    const args = ['--state', inFolder(`${id}-state`), '--factory', folder, '--count', '2'];
    const agent = new Agent('run', '--est-label', 'open', ...args);
    await agent.seen('enrolled');
    expect(await agent.ended).toBe(0);
    expect(await outriderJson('device', 'show', openId(id))).toMatchObject({ state: 'active' });
  });
});
