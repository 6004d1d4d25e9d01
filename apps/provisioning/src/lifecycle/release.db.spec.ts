import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { targetsList } from '@outrider/contracts';
import { refOf, registryOf } from '../est/registry.fixture.js';
import { type Suite, startSuite, until } from '../est/suite.fixture.js';

let suite: Suite;
let registry: ReturnType<typeof registryOf>;

beforeAll(async () => {
  suite = await startSuite();
  registry = registryOf(suite);
}, 60_000);
afterAll(() => suite?.stop());

const stateOf = async (name: string) => (await registry.show(name)).state;
const tell = (subject: string, payload: object) => registry.publish('revocation', `revocation.${subject}`, payload);
const at = (ms: number) => new Date(ms).toISOString();

/** Events of one enrolled device and its certificate, at times that a test chooses. */
async function enrolled(name: string) {
  const ref = refOf(await registry.enrolled(name), name);
  const by = { revokedBy: 'op:revoker' };
  return {
    ref,
    status: () => registry.statusOf(name, ref.thumbprint),
    held: (ms: number, reason = 'certificateHold') =>
      tell('certificate.revoked.v1', { ref, reason, revokedAt: at(ms), ...by }),
    released: (ms: number) => tell('certificate.released.v1', { ref, releasedAt: at(ms), releasedBy: 'op:revoker' }),
    deviceHeld: (ms: number, reason = 'certificateHold') =>
      tell(`device.revoked.v1.${name}`, { deviceId: name, reason, revokedAt: at(ms), ...by }),
    deviceReleased: (ms: number) =>
      tell(`device.released.v1.${name}`, { deviceId: name, releasedAt: at(ms), releasedBy: 'op:revoker' }),
  };
}

const T = Date.parse('2026-05-01T12:00:00Z');

describe('a hold of revocation', () => {
  it('quarantines the device, and its release ends that; the certificate is what it was before', async () => {
    const device = await enrolled('free-one');
    const before = await device.status();
    await device.held(T);
    await device.deviceHeld(T);
    await until(async () => (await stateOf('free-one')) === 'quarantined' && (await device.status()) === 'revoked');
    await device.released(T + 1000);
    await device.deviceReleased(T + 1000);
    await until(async () => (await stateOf('free-one')) === 'active' && (await device.status()) === before);
  });

  it('that is told of again after its release changes nothing; a later one does', async () => {
    const device = await enrolled('free-late');
    const before = await device.status();
    await device.deviceReleased(T + 1000);
    await device.released(T + 1000);
    await device.deviceHeld(T);
    await device.held(T);
    await device.held(T + 2000);
    await until(async () => (await device.status()) === 'revoked');
    expect(await stateOf('free-late')).toBe('active');
    await device.released(T + 3000);
    await until(async () => (await device.status()) === before);
    await device.deviceHeld(T + 4000);
    await until(async () => (await stateOf('free-late')) === 'quarantined');
  });

  it('ends no revocation for good', async () => {
    const device = await enrolled('free-never');
    await device.held(T);
    await device.held(T + 1000, 'cessationOfOperation');
    await device.deviceHeld(T + 2000, 'cessationOfOperation');
    await until(async () => (await stateOf('free-never')) === 'awaiting_recovery');
    await device.deviceReleased(T + 1500);
    const other = await enrolled('free-next');
    await other.held(T);
    await until(async () => (await other.status()) === 'revoked');
    expect(await stateOf('free-never')).toBe('awaiting_recovery');
    expect(await device.status()).toBe('revoked');
  });
});

describe('a release that is heard of after a graver word', () => {
  it('leaves the certificate revoked, told alone or with many', async () => {
    const [alone, many, held] = [await enrolled('grave-a'), await enrolled('grave-b'), await enrolled('grave-c')];
    const before = await held.status();
    for (const { held: revoke } of [alone, many]) await revoke(T, 'cessationOfOperation');
    await held.held(T);
    const all = () => Promise.all([alone, many, held].map(({ status }) => status()));
    await until(async () => (await all()).every((status) => status === 'revoked'));
    await alone.released(T + 1000);
    const refs = [many.ref, held.ref];
    await tell('certificate_batch.released.v1', { refs, releasedAt: at(T + 1000), releasedBy: 'op:revoker' });
    await until(async () => (await held.status()) === before);
    const last = await enrolled('grave-last');
    await last.held(T);
    await last.released(T + 1000);
    await until(async () => (await last.status()) === before);
    expect(await all()).toEqual(['revoked', 'revoked', before]);
  });
});

describe('many at once', () => {
  it('are revoked, held and released as each alone would be', async () => {
    const [one, two] = [await enrolled('many-one'), await enrolled('many-two')];
    const before = [await one.status(), await two.status()];
    const refs = [one.ref, two.ref];
    const both = async () => [await one.status(), await two.status()];
    const revoked = (reason: string, ms: number) =>
      tell('certificate_batch.revoked.v1', { refs, reason, revokedAt: at(ms), revokedBy: 'op:revoker' });
    const released = (ms: number) =>
      tell('certificate_batch.released.v1', { refs, releasedAt: at(ms), releasedBy: 'op:revoker' });
    await revoked('certificateHold', T);
    await until(async () => (await both()).every((status) => status === 'revoked'));
    await released(T + 1000);
    await until(async () => JSON.stringify(await both()) === JSON.stringify(before));
    await revoked('certificateHold', T);
    await one.held(T + 2000, 'superseded');
    await until(async () => (await one.status()) === 'revoked');
    expect(await two.status()).toBe(before[1]);
    await revoked('keyCompromise', T + 3000);
    await until(async () => (await both()).every((status) => status === 'revoked'));
    await until(async () => (await stateOf('many-two')) === 'awaiting_recovery');
  });
});

describe('what a wide target names', () => {
  it('is told in pages: certificates by their EST label, devices by their factory serial numbers', async () => {
    const names = ['wide-aa-1', 'wide-aa-2', 'wide-bb-1'];
    const refs = [];
    for (const name of names) refs.push((await enrolled(name)).ref);
    const connection = await suite.nats.connectAs('revocation');
    const ask = async (target: object, after = '', limit = 100) => {
      const answer = await connection.request(targetsList.subject, JSON.stringify({ target, after, limit }), {
        timeout: 5000,
      });
      return (answer.json() as { ok: { thumbprints?: string[]; deviceIds?: string[]; next?: string } }).ok;
    };
    const byLabel = await ask({ label: 'default' });
    expect(byLabel.thumbprints).toEqual(expect.arrayContaining(refs.map(({ thumbprint }) => thumbprint)));
    expect((await ask({ label: 'no-such-label' })).thumbprints).toEqual([]);
    const batch = { manufacturer: 'demo-motors', batch: 'DM-WIDE-AA' };
    const first = await ask(batch, '', 1);
    expect(first).toEqual({ deviceIds: ['wide-aa-1'], next: 'wide-aa-1' });
    expect(await ask(batch, first.next, 1)).toEqual({ deviceIds: ['wide-aa-2'], next: 'wide-aa-2' });
    expect(await ask(batch, 'wide-aa-2', 1)).toEqual({ deviceIds: [] });
    expect((await ask({ manufacturer: 'demo-motors' })).deviceIds).toEqual(expect.arrayContaining(names));
    await connection.close();
  });
});
