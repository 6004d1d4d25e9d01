import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { commandChanged, deviceRevoked } from '@outrider/contracts';
import { JWS_TYP, parseJws, sha256Base64url, signJws, verificationKey, verifyJws } from '@outrider/crypto';
import { DeviceId } from '@outrider/ids';
import type { VehicleAdmission } from '@outrider/platform/admission';
import { Database } from '@outrider/platform/postgres';
import { issueVehicle, type Party } from '@outrider/testing';
import { OID, parseCertificate, validateChain } from '@outrider/x509';
import { newDevice, RIGHTS, type Suite, startSuite, until } from './command.fixture.js';
import { DeliveryService } from './delivery/delivery.service.js';
import { Interest } from './delivery/interest.service.js';
import { Expiry } from './expiry/expiry.service.js';
import { OutcomeService } from './outcome/outcome.service.js';
import { CommandReader } from './send/command-reader.service.js';

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

function admission(vehicle: Party, deviceId: DeviceId): VehicleAdmission {
  return {
    certificate: vehicle.certificate,
    deviceId,
    recovery: false,
    claims: { scope: 'command:receive command:critical' } as VehicleAdmission['claims'],
  };
}

function outcome(vehicle: Party, deviceId: DeviceId, id: string, jws: string, result = 'succeeded'): string {
  const payload = {
    command_id: id,
    device_id: deviceId,
    request_hash: sha256Base64url(jws),
    result,
    time: Math.floor(Date.now() / 1000),
  };
  return signJws({
    header: { typ: JWS_TYP.outcome, kid: vehicle.certificate.thumbprint },
    payload: JSON.stringify(payload),
    key: vehicle.privateKey,
  });
}

describe('delivery', () => {
  it('releases a JWS chained to the fleet root, the same bytes each time, counters rising, in order', async () => {
    const device = newDevice();
    const vehicle = await issueVehicle(suite.fleet, device, { keyType: 'Ed25519' });
    const first = await send(device, { name: 'honk', parameters: { times: 2 } });
    await send(device, { name: 'locate' });
    const offer = (await deliver(device)) as { id: string; jws: string };
    expect(offer).toEqual(await deliver(device));
    expect(offer.id).toBe(first.id);
    const parsed = parseJws(offer.jws, 65_536);
    const [leaf, ca] = (parsed.header.x5c as string[]).map((der) => parseCertificate(der));
    validateChain(leaf!, [ca!], [suite.fleet.root.certificate], {
      now: new Date(),
      purpose: { eku: OID.outriderCommandSigning },
    });
    expect(
      verifyJws(parsed, verificationKey(leaf!.spkiDer), { typ: JWS_TYP.command, allowedHeaders: ['x5c'] }),
    ).toEqual({ ok: true });
    const payload = JSON.parse(Buffer.from(parsed.payload).toString());
    expect(payload).toMatchObject({
      command_id: first.id,
      device_id: device,
      counter: 1,
      epoch: 1,
      name: 'honk',
      parameters: { times: 2 },
    });
    const word = outcome(vehicle, device, offer.id, offer.jws);
    expect((await suite.app.get(OutcomeService).take(first.id, word, admission(vehicle, device))).state).toBe(
      'succeeded',
    );
    expect((await suite.app.get(OutcomeService).take(first.id, word, admission(vehicle, device))).state).toBe(
      'succeeded',
    );
    const second = (await deliver(device)) as { jws: string };
    expect(JSON.parse(Buffer.from(parseJws(second.jws, 65_536).payload).toString())).toMatchObject({
      counter: 2,
      name: 'locate',
    });
    const shown = await suite.app.get(CommandReader).show(first.id);
    expect(shown.history.map(({ state }) => state)).toEqual(['queued', 'released', 'succeeded']);
    expect(shown.outcome).toMatchObject({ result: 'succeeded', jws: word });
  });

  it('takes a critical command from who is elevated to it alone', async () => {
    const device = newDevice();
    const by = (name: string, scopes: string[]) => send(device, { name }, undefined, 'op:1', scopes);
    await expect(by('unlock', ['command:send'])).rejects.toMatchObject({ code: 'auth.scope_insufficient' });
    expect(await deliver(device)).toBeUndefined();
    expect(await by('honk', ['command:send'])).toMatchObject({ state: 'queued' });
    expect(await by('unlock', RIGHTS)).toMatchObject({ state: 'queued', critical: true });
  });

  it('releases a critical command once, against the first nonce, to its own vehicle only', async () => {
    const device = newDevice();
    const { id } = await send(device, { name: 'unlock' });
    expect(await deliver(device, false)).toBeUndefined();
    expect(await deliver(device)).toMatchObject({ id, critical: true });
    expect(await deliver(device)).not.toHaveProperty('jws');
    const delivery = suite.app.get(DeliveryService);
    await expect(
      delivery.answerNonce(id, { deviceId: newDevice(), mayCritical: true }, 'n'.repeat(22)),
    ).rejects.toMatchObject({
      code: 'command.not_found',
    });
    const nonces = ['a', 'b'].map((letter) => letter.repeat(22));
    const settled = await Promise.allSettled(
      [...nonces, ...nonces].map((nonce) => delivery.answerNonce(id, { deviceId: device, mayCritical: true }, nonce)),
    );
    const released = settled.filter((r) => r.status === 'fulfilled').map((r) => r.value);
    expect(released).toHaveLength(2);
    expect(released[1]).toEqual(released[0]);
    expect(released[0]).toHaveProperty('jws');
    const refused = settled.flatMap((r) => (r.status === 'rejected' ? [(r.reason as { code: string }).code] : []));
    expect(refused).toEqual(['command.nonce_refused', 'command.nonce_refused']);
  });

  it('wakes the vehicle that waits on this instance', async () => {
    const device = newDevice();
    const interest = suite.app.get(Interest);
    await interest.in(device);
    const woken = interest.wait(device, 60_000, new AbortController().signal);
    const { id } = await send(device, { name: 'honk' });
    await woken;
    expect(await deliver(device)).toMatchObject({ id });
  });
});

describe('time and revocation', () => {
  it('turns an unanswered release into unknown, and a late outcome resolves it and says so', async () => {
    const device = newDevice();
    const vehicle = await issueVehicle(suite.fleet, device);
    const { id } = await send(device, { name: 'honk', timeout: 1 });
    const { jws } = (await deliver(device)) as { jws: string };
    await until(async () => (await stateOf(id)) === 'unknown', 6000);
    await suite.app.get(OutcomeService).take(id, outcome(vehicle, device, id, jws), admission(vehicle, device));
    expect(await suite.app.get(CommandReader).show(id)).toMatchObject({ state: 'succeeded', reason: 'late' });
  });

  it('expires what nobody fetched', async () => {
    const { id } = await send(newDevice(), { name: 'honk', expires_in: 1 });
    await suite.app.get(Expiry).sweep(new Date(Date.now() + 2000));
    expect(await stateOf(id)).toBe('expired');
  });

  it('cancels what was not released when the device is revoked, and publishes each change', async () => {
    const device = newDevice();
    const { id } = await send(device, { name: 'honk' });
    const revocation = await suite.nats.connectAs('revocation');
    const event = { deviceId: device, reason: 'keyCompromise', revokedAt: new Date().toISOString(), revokedBy: 'op:1' };
    revocation.publish(`${deviceRevoked.subject}.${device}`, JSON.stringify(event));
    await until(async () => (await stateOf(id)) === 'cancelled');
    await revocation.close();
    const client = await suite.database.admin();
    await until(
      async () =>
        (await client.query('SELECT 1 FROM outbox WHERE subject LIKE $1', [`${commandChanged.subject}%`])).rowCount ===
        0,
    );
    await client.end();
  });

  it('keeps history and outcomes out of reach of the runtime role', async () => {
    const source = suite.app.get(Database).dataSource;
    await expect(source.query('UPDATE command_history SET state = $1', ['succeeded'])).rejects.toMatchObject({
      code: '42501',
    });
    await expect(source.query('DELETE FROM outcomes')).rejects.toMatchObject({ code: '42501' });
  });
});
