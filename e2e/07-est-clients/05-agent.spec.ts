import { describe, expect, it } from '@jest/globals';
import { Agent } from '../harness/agent.js';
import { inFolder, newDeviceId } from '../harness/folder.js';
import { outriderJson } from '../harness/outrider.js';
import { makeDevice } from '../harness/vehicle.js';

describe('the vehicle agent', () => {
  it('enrols over EST and is at work', async () => {
    const id = newDeviceId('est-agent');
    const { folder } = await makeDevice(id);
    const agent = new Agent('run', '--state', inFolder(id), '--factory', folder, '--count', '3', '--interval', '50ms');
    expect({ code: await agent.ended, said: agent.said }).toEqual({ code: 0, said: '' });
    const shown = await outriderJson<{ state: string; certificates: object[] }>('device', 'show', id);
    expect(shown).toMatchObject({ state: 'active', certificates: [expect.anything()] });
  });
});
