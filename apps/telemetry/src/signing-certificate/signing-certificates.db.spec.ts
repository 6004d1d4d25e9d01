import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DeviceId, Thumbprint } from '@outrider/ids';
import { issueVehicle } from '@outrider/testing';
import { type Ground, prepareGround, type Service, startService, until } from '../telemetry.fixture.js';
import { mayHaveSigned } from './may-have-signed.js';
import { SigningCertificates } from './signing-certificates.service.js';

let ground: Ground;
let service: Service;

beforeAll(async () => {
  ground = await prepareGround();
  service = await startService(ground, 1);
}, 60_000);

afterAll(() => ground?.stop());

/** Two certificates of one device: the connection's, and the one before it, whose key signs. */
async function renewed(name: string, status = 'live') {
  const [before, now] = await Promise.all([ground.vehicle(name), ground.vehicle(name)]);
  const { certificate } = before.party;
  ground.authority.certificates.set(certificate.thumbprint, {
    certificate: Buffer.from(certificate.der).toString('base64'),
    deviceId: name,
    status,
  });
  const message = (seq: number) => ({ ...before.message(seq), kid: certificate.thumbprint });
  return { before, now, message };
}

describe('kid', () => {
  it('names an earlier certificate of the device, asked of provisioning once', async () => {
    const { now, message } = await renewed('device-renewed');
    const asked = ground.authority.asked;
    const answers = await Promise.all([1, 2, 3, 4].map((seq) => now.post(service, message(seq))));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(await now.post(service, [message(5), now.message(6)])).toMatchObject({ body: { accepted: 2 } });
    expect(ground.authority.asked - asked).toBe(1);
  });

  it('may name the connection itself', async () => {
    const car = await ground.vehicle('device-self');
    expect(await car.post(service, { ...car.message(1), kid: car.party.certificate.thumbprint })).toMatchObject({
      status: 200,
    });
  });

  it('unknown to provisioning is unknown_kid, retryable, and taken once it is known', async () => {
    const { before, now, message } = await renewed('device-not-yet');
    const { thumbprint } = before.party.certificate;
    const known = ground.authority.certificates.get(thumbprint)!;
    ground.authority.certificates.delete(thumbprint);
    const refused = await now.post(service, message(1));
    expect(refused).toMatchObject({ status: 422, body: { code: 'telemetry.unknown_kid' } });
    expect(refused.headers['retry-after']).toBe('1');
    ground.authority.certificates.set(thumbprint, known);
    await until(async () => (await now.post(service, message(1))).status === 200);
  });

  it.each(['superseded', 'revoked'])('of a %s certificate is refused', async (status) => {
    const { now, message } = await renewed(`device-${status}`, status);
    expect(await now.post(service, message(1))).toMatchObject({
      status: 422,
      body: { code: 'telemetry.bad_signature' },
    });
  });

  it('of a certificate on the denylist is refused, though its key was known before', async () => {
    const { before, now, message } = await renewed('device-denied');
    expect((await now.post(service, message(1))).status).toBe(200);
    ground.authority.deny('certificate', before.party.certificate.thumbprint);
    await until(async () => (await now.post(service, message(2))).body.code === 'telemetry.bad_signature');
    expect((await now.post(service, now.message(3))).status).toBe(200);
  });

  it("of another device's certificate is wrong_device, even with that device's key", async () => {
    const { before } = await renewed('device-other');
    const car = await ground.vehicle('device-thief');
    const stolen = before.signed(car.payload(1));
    expect(await car.post(service, { ...stolen, kid: before.party.certificate.thumbprint })).toMatchObject({
      status: 403,
      body: { code: 'telemetry.wrong_device' },
    });
  });

  it('is not believed of a certificate that does not chain to the vehicle CA, whoever vouches for it', async () => {
    const { now } = await renewed('device-foreign');
    const foreign = await issueVehicle({ ...ground.fleet, vehicleCa: ground.fleet.factoryCa }, now.deviceId, {
      keyType: 'Ed25519',
    });
    const { thumbprint, der } = foreign.certificate;
    ground.authority.certificates.set(thumbprint, {
      certificate: Buffer.from(der).toString('base64'),
      deviceId: now.deviceId,
      status: 'live',
    });
    expect(await now.post(service, { ...now.message(1), kid: thumbprint })).toMatchObject({
      status: 422,
      body: { code: 'telemetry.bad_signature' },
    });
  });

  it('of many unknown certificates in one body asks for four of them at most', async () => {
    const car = await ground.vehicle('device-many-kids');
    const asked = ground.authority.asked;
    const names = [...'BCDFGHJKLM'].map((letter) => `${letter.repeat(42)}A`);
    const answer = await car.post(
      service,
      names.map((kid, index) => ({ ...car.message(index + 1), kid })),
    );
    expect(answer.body.results.every(({ verdict }: { verdict: string }) => verdict === 'unknown_kid')).toBe(true);
    expect(ground.authority.asked - asked).toBe(4);
  });
});

describe('a certificate looked back at', () => {
  const ask = async (name: string, status: string, more: object = {}) => {
    const { before, now } = await renewed(name, status);
    const { thumbprint } = before.party.certificate;
    Object.assign(ground.authority.certificates.get(thumbprint)!, more);
    return { before, now, past: () => service.app.get(SigningCertificates).ofPast(thumbprint, now.deviceId) };
  };

  it('is given with how it stands, though no new message may be signed with it', async () => {
    const revokedAt = new Date(Date.now() - 60_000).toISOString();
    const { before, now, past } = await ask('device-past', 'revoked', { revokedAt });
    const { thumbprint, key, validity, standing } = await past();
    expect([thumbprint, key.keyThumbprint]).toEqual([
      before.party.certificate.thumbprint,
      before.party.certificate.keyThumbprint,
    ]);
    expect(standing).toEqual({ status: 'revoked', revokedAtMs: Date.parse(revokedAt) });
    expect(mayHaveSigned(validity, standing, Date.parse(revokedAt) - 1)).toBeUndefined();
    expect(mayHaveSigned(validity, standing, Date.parse(revokedAt))).toBe('revoked');
    expect(await now.post(service, { ...before.message(1), kid: thumbprint })).toMatchObject({ status: 422 });
  });

  it("is refused where it is another device's, of another CA, or unknown", async () => {
    const { before } = await ask('device-past-one', 'superseded', { supersededAt: new Date().toISOString() });
    const certificates = service.app.get(SigningCertificates);
    const { thumbprint } = before.party.certificate;
    await expect(certificates.ofPast(thumbprint, DeviceId.parse('device-two'))).rejects.toMatchObject({
      code: 'telemetry.wrong_device',
    });
    await expect(certificates.ofPast(Thumbprint.parse('A'.repeat(43)), before.deviceId)).rejects.toMatchObject({
      code: 'telemetry.unknown_kid',
    });
    const foreign = await issueVehicle({ ...ground.fleet, vehicleCa: ground.fleet.factoryCa }, before.deviceId, {});
    ground.authority.certificates.set(foreign.certificate.thumbprint, {
      certificate: Buffer.from(foreign.certificate.der).toString('base64'),
      deviceId: before.deviceId,
      status: 'live',
    });
    await expect(certificates.ofPast(foreign.certificate.thumbprint, before.deviceId)).rejects.toMatchObject({
      code: 'telemetry.bad_signature',
    });
  });
});
