import { createHash, createPrivateKey, randomBytes, sign, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { compactVerify, decodeProtectedHeader } from 'jose';
import { curl } from '../harness/curl.js';
import { elevatedToken } from '../harness/elevation.js';
import { at, endpoints } from '../harness/endpoints.js';
import { file, newDeviceId } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { nowSeconds } from '../harness/message.js';
import { textOf } from '../harness/openssl.js';
import { operator } from '../harness/operator.js';
import { must } from '../harness/run.js';
import { Vehicle } from '../harness/vehicle.js';

const test = itWith(['curl', 'openssl']);

describe('a vehicle that speaks the protocol by hand', () => {
  let vehicle: Vehicle;
  let token: string;

  beforeAll(async () => {
    vehicle = await Vehicle.enrol('by-hand');
  });
  afterAll(() => vehicle?.close());

  const call = async (path: string, body?: object) => {
    token = await vehicle.token('command:receive command:critical');
    const data = body ? ['-H', 'Content-Type: application/json', '-d', JSON.stringify(body)] : [];
    return curl(`${at('command', 'vehicle')}${path}`, ['-H', `Authorization: Bearer ${token}`, ...data], vehicle);
  };

  async function queue(name: string): Promise<string> {
    const headers = { 'idempotency-key': newDeviceId('key') };
    const answer = await operator('command', 'POST', `/v1/vehicles/${vehicle.id}/commands`, {
      body: { name },
      token: await elevatedToken('command:send-critical'),
      headers,
    });
    return answer.body.id;
  }

  const stateOf = async (id: string) => (await operator('command', 'GET', `/v1/commands/${id}`)).body;

  function outcome(jws: string, id: string, key = vehicle.key): Promise<{ outcome: string }> {
    const claims = {
      command_id: id,
      device_id: vehicle.id,
      request_hash: createHash('sha256').update(jws).digest('base64url'),
      result: 'succeeded',
      time: nowSeconds(),
    };
    return signOutcome(claims, key);
  }

  async function signOutcome(claims: object, keyFile: string): Promise<{ outcome: string }> {
    const header = { alg: 'ES256', typ: 'outrider-outcome+jws', kid: await vehicle.thumbprint() };
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${part(header)}.${part(claims)}`;
    const key = createPrivateKey(readFileSync(keyFile));
    const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
    return { outcome: `${signed}.${signature}` };
  }

  let honk: { id: string; jws: string };

  test('waits in vain when there is nothing', async () => {
    expect((await call('/v1/commands/next?wait=1')).status).toBe(204);
  });

  test('gets a command by long poll the moment it is sent, signed by a chain to the fleet root', async () => {
    const [answer, id] = await Promise.all([call('/v1/commands/next?wait=20'), queue('honk')]);
    expect(answer.status).toBe(200);
    const { command } = answer.json();
    expect(command).toEqual({ id, critical: false, jws: expect.any(String) });
    honk = command;
    const header = decodeProtectedHeader(command.jws);
    expect(Object.keys(header).sort()).toEqual(['alg', 'typ', 'x5c']);
    expect(header).toMatchObject({ alg: 'ES256', typ: 'outrider-command+jws' });
    const [leaf, ca] = (header.x5c ?? []).map((der, index) =>
      file(
        `signer-${index}.pem`,
        `-----BEGIN CERTIFICATE-----\n${der.replace(/(.{64})(?=.)/g, '$1\n')}\n-----END CERTIFICATE-----\n`,
      ),
    ) as [string, string];
    await must('openssl', ['verify', '-CAfile', endpoints.trust.fleetRoot, '-untrusted', ca, leaf]);
    expect(await textOf(leaf)).toContain('URI:spiffe://fleet.example.com/service/command\n');
    const { payload } = await compactVerify(command.jws, new X509Certificate(readFileSync(leaf)).publicKey);
    expect(JSON.parse(Buffer.from(payload).toString())).toMatchObject({
      command_id: id,
      device_id: vehicle.id,
      name: 'honk',
      counter: 1,
      exp: expect.any(Number),
    });
  });

  test('gets the same bytes again until it answers', async () => {
    const { command } = (await call('/v1/commands/next?wait=1')).json();
    expect(command.jws).toBe(honk.jws);
  });

  test('is believed only by its own signature', async () => {
    const stranger = await Vehicle.enrol('by-hand-other');
    const path = `/v1/commands/${honk.id}/outcome`;
    const forged = await call(path, await outcome(honk.jws, honk.id, stranger.key));
    expect({ status: forged.status, code: forged.json().code }).toEqual({
      status: 422,
      code: 'command.outcome_invalid',
    });
    const another = await call(path, await outcome(`${honk.jws}x`, honk.id));
    expect({ status: another.status, code: another.json().code }).toEqual({
      status: 422,
      code: 'command.outcome_invalid',
    });
    expect((await stateOf(honk.id)).state).toBe('released');
  });

  test('answers once, and the same answer again changes nothing', async () => {
    const body = await outcome(honk.jws, honk.id);
    for (const _time of [1, 2]) {
      const answer = await call(`/v1/commands/${honk.id}/outcome`, body);
      expect({ status: answer.status, body: answer.json() }).toEqual({
        status: 200,
        body: { id: honk.id, state: 'succeeded' },
      });
    }
    expect((await stateOf(honk.id)).history.map(({ state }: { state: string }) => state)).toEqual([
      'queued',
      'released',
      'succeeded',
    ]);
  });

  test('gets a critical command only for a nonce of its own', async () => {
    const id = await queue('unlock');
    const { command } = (await call('/v1/commands/next?wait=5')).json();
    expect(command).toEqual({ id, critical: true, expires_at: expect.any(Number) });
    const nonce = randomBytes(24).toString('base64url');
    const { jws } = (await call(`/v1/commands/${id}/nonce`, { nonce })).json();
    expect(JSON.parse(Buffer.from(jws.split('.')[1], 'base64url').toString())).toMatchObject({ nonce, counter: 2 });
    expect((await call(`/v1/commands/${id}/nonce`, { nonce })).json()).toEqual({ jws });
    const other = await call(`/v1/commands/${id}/nonce`, { nonce: randomBytes(24).toString('base64url') });
    expect({ status: other.status, code: other.json().code }).toEqual({ status: 409, code: 'command.nonce_refused' });
    expect((await call(`/v1/commands/${id}/outcome`, await outcome(jws, id))).json()).toEqual({
      id,
      state: 'succeeded',
    });
  });

  test("cannot read or answer another vehicle's command", async () => {
    const stranger = await Vehicle.enrol('by-hand-stranger');
    const id = await queue('unlock');
    const bearer = ['-H', `Authorization: Bearer ${await stranger.token('command:receive command:critical')}`];
    const nonce = JSON.stringify({ nonce: randomBytes(24).toString('base64url') });
    const args = [...bearer, '-H', 'Content-Type: application/json', '-d', nonce];
    const answer = await curl(`${at('command', 'vehicle')}/v1/commands/${id}/nonce`, args, stranger);
    expect([403, 404]).toContain(answer.status);
    expect((await stateOf(id)).state).toBe('queued');
  });
});
