/** Streams over mTLS, on two replicas of the service: whichever has the vehicle's connection hands the command out. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { coseToBeSigned, decodeCbor, parseCoseSign1 } from '@outrider/canonicalization';
import { verificationKey, verifySignature } from '@outrider/crypto';
import { CommandId } from '@outrider/ids';
import { JwksKeys } from '@outrider/platform/admission';
import { Listeners } from '@outrider/platform/http';
import { Drain, RUNTIME, type Runtime } from '@outrider/platform/service';
import { OID, parseCertificate, validateChain } from '@outrider/x509';
import { newDevice, type Suite, startReplica, startSuite, until } from '../command.fixture.js';
import { Expiry } from '../expiry/expiry.service.js';
import { Presence } from '../presence/presence.service.js';
import { CommandReader } from '../send/command-reader.service.js';
import { type StreamSeen, startVehicleSide, type TestVehicle } from '../vehicles.fixture.js';
import { Interest } from './interest.service.js';

let suite: Suite;
let side: Awaited<ReturnType<typeof startVehicleSide>>;
let second: NestFastifyApplication;
let ports: readonly [number, number];

const WAIT_MS = 20_000;

beforeAll(async () => {
  suite = await startSuite();
  side = await startVehicleSide(suite);
  second = await startReplica(suite, 2);
  for (const app of [suite.app, second]) {
    await app.get(Listeners).open();
    await until(() => app.get(JwksKeys).get('test') !== undefined, WAIT_MS);
  }
  const port = (app: NestFastifyApplication) => app.get<Runtime>(RUNTIME).config.listeners.vehicle!.port;
  ports = [port(suite.app), port(second)];
  const probe = await side.vehicle(newDevice());
  for (const each of ports) expect((await probe.insist(each, 'GET', '/v1/commands/next')).status).toBe(204);
}, 60_000);
afterAll(async () => {
  await second?.close();
  await side?.stop();
  await suite?.stop();
});

const commandsOf = ({ events }: StreamSeen) =>
  events.flatMap(({ event, data }) => (event === 'command' ? [data.command] : []));
const seen = (condition: () => boolean | Promise<boolean>) => until(condition, WAIT_MS);

async function answer(
  vehicle: TestVehicle,
  port: number,
  { id, jws }: { id: string; jws: string | Buffer },
): Promise<void> {
  const { status } = await vehicle.ask(port, 'POST', `/v1/commands/${id}/outcome`, {
    outcome: vehicle.outcome(id, jws),
  });
  expect(status).toBe(200);
}

describe('a stream', () => {
  it('on the second replica has what is sent at the first, in order, one at a time', async () => {
    const vehicle = await side.vehicle(newDevice());
    const stream = await vehicle.stream(ports[1]);
    await seen(() => second.get(Interest).size > 0);
    const sent: string[] = [];
    for (const name of ['honk', 'locate', 'honk']) sent.push((await suite.send(vehicle.deviceId, { name })).id);
    for (let n = 0; n < sent.length; n += 1) {
      await seen(() => commandsOf(stream).length === n + 1);
      // The outcome comes over the other replica: the stream hears of what it makes way for.
      await answer(vehicle, ports[0], commandsOf(stream)[n]!);
    }
    expect(commandsOf(stream).map(({ id }) => id)).toEqual(sent);
    stream.close();
  });

  it('hands the same bytes out again on the next connection, whichever replica has it, until the outcome is in', async () => {
    const vehicle = await side.vehicle(newDevice());
    const { id } = await suite.send(vehicle.deviceId, { name: 'honk' });
    const streams: StreamSeen[] = [];
    for (const port of [...ports, ...ports]) {
      const stream = await vehicle.stream(port);
      await seen(() => commandsOf(stream).length === 1);
      stream.close();
      streams.push(stream);
    }
    const polled = await vehicle.ask(ports[1], 'GET', '/v1/commands/next');
    const all = [...streams.map((stream) => commandsOf(stream)[0]), polled.body.command];
    expect(new Set(all.map((offer) => JSON.stringify(offer))).size).toBe(1);
    await answer(vehicle, ports[0], all[0]);
    expect((await vehicle.ask(ports[1], 'GET', '/v1/commands/next')).status).toBe(204);
    const { history } = await suite.app.get(CommandReader).show(id);
    expect(history.map(({ state }) => state)).toEqual(['queued', 'released', 'succeeded']);
  });

  it.each([
    ['the same replica', 0, 204],
    ['the other replica', 1, 202],
  ] as const)(
    'goes on with a new token, which comes over %s',
    async (_name, at, status) => {
      const vehicle = await side.vehicle(newDevice());
      // A third of its life is what a busy machine has to bring the next one in.
      const stream = await vehicle.stream(ports[0], vehicle.token(12));
      await seen(() => stream.events.some(({ event }) => event === 'token'));
      const { data } = stream.events.find(({ event }) => event === 'token')!;
      const renewed = await vehicle.ask(
        ports[at],
        'POST',
        `/v1/commands/stream/${data.stream}/token`,
        undefined,
        vehicle.token(60),
      );
      expect(renewed.status).toBe(status);
      const first = data.expires_at * 1000;
      await seen(() => Date.now() > first + 1500);
      const { id } = await suite.send(vehicle.deviceId, { name: 'honk' });
      await seen(() => commandsOf(stream).length === 1);
      expect(commandsOf(stream)[0].id).toBe(id);
      expect(stream.ended).toBe(false);
      stream.close();
    },
    60_000,
  );

  it('ends with its token where no new one comes, and goes on by none of another vehicle, of other scope or past its end', async () => {
    const vehicle = await side.vehicle(newDevice());
    const other = await side.vehicle(newDevice());
    const stream = await vehicle.stream(ports[0], vehicle.token(6));
    await seen(() => stream.events.some(({ event }) => event === 'token'));
    const { stream: id } = stream.events.find(({ event }) => event === 'token')!.data;
    const path = `/v1/commands/stream/${id}/token`;
    expect((await other.ask(ports[0], 'POST', path)).status).toBe(202);
    expect((await vehicle.ask(ports[0], 'POST', path, undefined, other.token())).status).toBe(401);
    const telemetry = vehicle.token(60, { scope: 'telemetry:write' });
    expect((await vehicle.ask(ports[0], 'POST', path, undefined, telemetry)).status).toBe(403);
    expect((await vehicle.ask(ports[0], 'POST', path, undefined, vehicle.token(-60))).status).toBe(401);
    await seen(() => stream.ended);
    expect(stream.events.at(-1)).toEqual({ event: 'token-expired', data: {} });
  }, 30_000);
});

describe('a released command that is never answered', () => {
  it('is unknown, with when it went out and until when the connection was seen, whichever replica had it', async () => {
    const vehicle = await side.vehicle(newDevice());
    const silent = await side.vehicle(newDevice());
    const stream = await vehicle.stream(ports[1]);
    const seenAt = new Date();
    await second.get(Presence).save(seenAt);
    const { id } = await suite.send(vehicle.deviceId, { name: 'honk' });
    await seen(() => commandsOf(stream).length === 1);
    stream.close();
    const { id: other } = await suite.send(silent.deviceId, { name: 'honk' });
    await suite.deliver(silent.deviceId);
    await suite.app.get(Expiry).sweep(new Date(Date.now() + 31_000));
    const reasonOf = async (of: string) => (await suite.app.get(CommandReader).show(CommandId.parse(of))).reason;
    expect([await suite.stateOf(id), await suite.stateOf(other)]).toEqual(['unknown', 'unknown']);
    const [, lastSeen] = /released at .*its connection was seen until (.+)$/.exec((await reasonOf(id)) ?? '') ?? [];
    expect(Date.parse(lastSeen!)).toBeGreaterThanOrEqual(seenAt.getTime());
    expect(await reasonOf(other)).toMatch(/its connection was not seen/);
  });
});

describe('two replicas at once', () => {
  it('release a command once, count it once, and take one outcome', async () => {
    const vehicle = await side.vehicle(newDevice());
    const { id } = await suite.send(vehicle.deviceId, { name: 'honk' });
    const next = (n: number) => vehicle.ask(ports[n % 2]!, 'GET', '/v1/commands/next');
    const offers = await Promise.all(Array.from({ length: 12 }, (_, n) => next(n)));
    expect(new Set(offers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    const { jws } = offers[0]!.body.command;
    const word = { outcome: vehicle.outcome(id, jws) };
    const other = { outcome: vehicle.outcome(id, jws, 'failed') };
    const words = await Promise.all(
      [word, word, other, word].map((body, n) =>
        vehicle.ask(ports[n % 2]!, 'POST', `/v1/commands/${id}/outcome`, body),
      ),
    );
    const kept = words.filter(({ status }) => status === 200).length;
    expect([1, 3]).toContain(kept);
    expect(words.filter(({ status }) => status === 409)).toHaveLength(4 - kept);
    const { history } = await suite.app.get(CommandReader).show(id);
    expect(history.map(({ state }) => state).slice(0, 2)).toEqual(['queued', 'released']);
    expect(history).toHaveLength(3);
  });

  it('release a critical command against one nonce', async () => {
    const vehicle = await side.vehicle(newDevice());
    const { id } = await suite.send(vehicle.deviceId, { name: 'unlock' });
    const nonce = (n: number) => ({ nonce: String.fromCharCode(97 + n).repeat(22) });
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        vehicle.ask(ports[n % 2]!, 'POST', `/v1/commands/${id}/nonce`, nonce(n % 3)),
      ),
    );
    const released = answers.filter(({ status }) => status === 200);
    expect(released).toHaveLength(4);
    expect(new Set(released.map(({ body }) => body.jws)).size).toBe(1);
    expect(answers.filter(({ body }) => body.code === 'command.nonce_refused')).toHaveLength(8);
  });
});

describe('a vehicle that asks for COSE', () => {
  it('has it from each way of delivery, the same bytes each time, and answers over them', async () => {
    const vehicle = await side.vehicle(newDevice());
    const { id } = await suite.send(vehicle.deviceId, { name: 'honk', parameters: { times: 3 } });
    const first = (await vehicle.ask(ports[0], 'GET', '/v1/commands/next?form=cose')).body.command;
    expect((await vehicle.ask(ports[1], 'GET', '/v1/commands/next')).body.command).toEqual(first);
    const message = parseCoseSign1(Buffer.from(first.cose, 'base64url'), 65_536);
    const [leaf, ca] = (message.protectedHeaders.get(33) as Uint8Array[]).map((der) => parseCertificate(der));
    const purpose = { eku: OID.outriderCommandSigning };
    validateChain(leaf!, [ca!], [suite.fleet.root.certificate], { now: new Date(), purpose });
    const signed = coseToBeSigned(message, Buffer.from('outrider/command/v1'));
    expect(verifySignature(verificationKey(leaf!.spkiDer), signed, message.signature)).toBe(true);
    const content = decodeCbor(message.payload, { maxBytes: 65_536, maxDepth: 8 });
    expect(content).toMatchObject({ command_id: id, counter: 1, name: 'honk', parameters: { times: 3 } });
    await answer(vehicle, ports[0], { id, jws: Buffer.from(first.cose, 'base64url') });
    const critical = await suite.send(vehicle.deviceId, { name: 'unlock' });
    const path = `/v1/commands/${critical.id}/nonce?form=cose`;
    const released = await vehicle.ask(ports[0], 'POST', path, { nonce: 'n'.repeat(22) });
    expect(released).toMatchObject({ status: 200, body: { cose: expect.any(String) } });
  });
});

describe('a vehicle that remembers more than the service (a restored database)', () => {
  it('begins a new epoch with its next command, by nonce, and goes on in it without', async () => {
    const vehicle = await side.vehicle(newDevice());
    const take = async () => (await vehicle.ask(ports[0], 'GET', '/v1/commands/next')).body.command;
    const payloadOf = (jws: string) => JSON.parse(Buffer.from(jws.split('.')[1]!, 'base64url').toString());
    const first = await suite.send(vehicle.deviceId, { name: 'honk' });
    const { jws } = await take();
    const refusal = vehicle.outcome(first.id, jws, 'refused', {
      detail: 'counter: 1/1 after 1/41',
      data: { last: { epoch: 1, counter: 41 } },
    });
    await vehicle.ask(ports[0], 'POST', `/v1/commands/${first.id}/outcome`, { outcome: refusal });
    const { id } = await suite.send(vehicle.deviceId, { name: 'honk' });
    expect(await take()).toMatchObject({ id, critical: true });
    const nonce = 'n'.repeat(43);
    const released = await vehicle.ask(ports[1], 'POST', `/v1/commands/${id}/nonce`, { nonce });
    expect(payloadOf(released.body.jws)).toMatchObject({ epoch: 2, counter: 1, nonce, name: 'honk' });
    await answer(vehicle, ports[0], { id, jws: released.body.jws });
    const plain = await suite.send(vehicle.deviceId, { name: 'honk' });
    const next = (await take()).jws;
    expect(payloadOf(next)).toMatchObject({ epoch: 2, counter: 2 });
    // Its own disk was restored then: it is in epoch 1 again, and would refuse every plain command from now on.
    const behind = vehicle.outcome(plain.id, next, 'refused', {
      detail: 'epoch: a higher epoch without a nonce',
      data: { last: { epoch: 1, counter: 41 } },
    });
    await vehicle.ask(ports[0], 'POST', `/v1/commands/${plain.id}/outcome`, { outcome: behind });
    const led = await suite.send(vehicle.deviceId, { name: 'honk' });
    expect(await take()).toMatchObject({ id: led.id, critical: true });
    const again = await vehicle.ask(ports[1], 'POST', `/v1/commands/${led.id}/nonce`, { nonce });
    expect(payloadOf(again.body.jws)).toMatchObject({ epoch: 2, counter: 3, nonce });
    await answer(vehicle, ports[0], { id: led.id, jws: again.body.jws });
    await suite.send(vehicle.deviceId, { name: 'honk' });
    expect(payloadOf((await take()).jws)).toMatchObject({ epoch: 2, counter: 4 });
  });
});

describe('a replica that stops', () => {
  it('ends streams and polls while it still takes whoever comes, and the other one has what is sent', async () => {
    const [streaming, polling] = [await side.vehicle(newDevice()), await side.vehicle(newDevice())];
    const stream = await streaming.stream(ports[1]);
    const poll = polling.ask(ports[1], 'GET', '/v1/commands/next?wait=55');
    await seen(() => second.get(Interest).has(streaming.deviceId) && second.get(Interest).has(polling.deviceId));
    await second.get(Drain).run();
    expect((await poll).status).toBe(204);
    await seen(() => stream.ended);
    expect((await polling.ask(ports[1], 'GET', '/v1/commands/next')).status).toBe(204);
    const elsewhere = await streaming.stream(ports[0]);
    const { id } = await suite.send(streaming.deviceId, { name: 'honk' });
    await seen(() => commandsOf(elsewhere).length === 1);
    await answer(streaming, ports[0], commandsOf(elsewhere)[0]!);
    expect(await suite.stateOf(id)).toBe('succeeded');
    elsewhere.close();
  });
});
