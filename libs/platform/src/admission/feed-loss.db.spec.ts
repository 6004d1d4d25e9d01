import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DeviceId } from '@outrider/ids';
import { freePort, issueVehicle, startWire, type TestWire, until } from '@outrider/testing';
import { claims, operatorClaims, sign } from './access-token.fixture.js';
import { A, AdmissionGround, code, startProbe } from './admission-ground.fixture.js';
import { type Ask, askAt } from './ask.fixture.js';
import { DenylistFeed } from './denylist-feed.client.js';

/** Shorter than in life, so that the tests are. */
const LIMITS = { controlStaleMs: 2000, staleMs: 6000 };
const PATIENT_MS = 30_000;

let ground: AdmissionGround;
let wire: TestWire;
/** Reaches NATS by the wire alone; the ground's own instance, with the limits of life, reaches it directly. */
let cutOff: NestFastifyApplication;
let port: { vehicle: number; operator: number };

beforeAll(async () => {
  ground = await AdmissionGround.start();
  const { config, nats } = ground.ground;
  wire = await startWire(nats.url);
  port = { vehicle: await freePort(), operator: await freePort() };
  const listeners = {
    http: { ...config.listeners.http, port: await freePort() },
    vehicle: { ...config.listeners.vehicle, port: port.vehicle },
    operator: { ...config.listeners.operator, port: port.operator },
  };
  const own = { ...config, listeners, nats: { ...config.nats, url: wire.url }, revocation: LIMITS };
  cutOff = await startProbe(own, 'telemetry-00000002');
  await fresh();
}, 60_000);

afterAll(async () => {
  await cutOff?.close();
  await wire?.close();
  await ground?.stop();
});

const there = (path: string, asked: Ask) => askAt(ground.ground.fleet, port, path, asked);
const here = (path: string, asked: Ask) => ground.ask(path, asked);
const feedOf = (app: NestFastifyApplication) => app.get(DenylistFeed);
const fresh = () => until(() => feedOf(cutOff).freshness() === 'fresh', PATIENT_MS);
const isDenied = (app: NestFastifyApplication, device: string) => feedOf(app).match({ deviceId: device }) !== undefined;

describe.each(['cut', 'stall'] as const)('an instance whose NATS is gone by a %s', (how) => {
  it('keeps its list, fails closed for control and then for all, alone; back again it knows what it missed', async () => {
    const before = DeviceId.parse(`before-${how}`);
    const missed = DeviceId.parse(`missed-${how}`);
    const [denied, late] = [
      await issueVehicle(ground.ground.fleet, before),
      await issueVehicle(ground.ground.fleet, missed),
    ];
    const asking = () => ({ party: ground.a, token: sign(claims(ground.a, A)) });
    await ground.denylist.deny({ kind: 'device', value: before });
    await until(() => isDenied(cutOff, before) && isDenied(ground.app, before), PATIENT_MS);
    await fresh();
    expect((await there('/token', asking())).status).toBe(200);

    // Something that waits under control is out there, and ends by itself.
    const waiting = there('/waits', asking());
    wire[how]();
    await ground.denylist.deny({ kind: 'device', value: missed });
    await until(() => isDenied(ground.app, missed), PATIENT_MS);
    expect(isDenied(cutOff, missed)).toBe(false);
    const ended = await waiting;
    expect({ status: ended.status, code: code(ended) }).toEqual({ status: 503, code: 'revocation.stale' });
    expect(ended.headers['retry-after']).toBeDefined();
    expect(code(await there('/token', { party: denied, token: sign(claims(denied, before)) }))).toMatch(
      /^(?:denylist\.device|revocation\.stale)$/,
    );

    // What is not control goes on for longer, then nothing does on the vehicles' listener, enrolment and all.
    await until(() => feedOf(cutOff).freshness() === 'stale', PATIENT_MS);
    for (const path of ['/token', '/certificate', '/anyone', '/waits']) {
      const answer = await there(path, asking());
      expect({ path, status: answer.status, code: code(answer) }).toEqual({
        path,
        status: 503,
        code: 'revocation.stale',
      });
    }
    expect((await there('/fleet', { listener: 'operator', token: sign(operatorClaims({})) })).status).toBe(200);
    // The other instance of the service never noticed.
    expect(feedOf(ground.app).freshness()).toBe('fresh');
    expect((await here('/token', asking())).status).toBe(200);
    expect(code(await here('/token', { party: late, token: sign(claims(late, missed)) }))).toBe('denylist.device');

    wire.mend();
    await fresh();
    expect(isDenied(cutOff, missed)).toBe(true);
    expect(isDenied(cutOff, before)).toBe(true);
    expect(code(await there('/token', { party: late, token: sign(claims(late, missed)) }))).toBe('denylist.device');
    expect((await there('/token', asking())).status).toBe(200);
  }, 120_000);
});

it('goes on with what is not control between the two ages', async () => {
  const asking = () => ({ party: ground.a, token: sign(claims(ground.a, A)) });
  wire.cut();
  try {
    await until(() => feedOf(cutOff).freshness() === 'control_stale', PATIENT_MS);
    const [control, other] = await Promise.all([there('/waits', asking()), there('/token', asking())]);
    // On a slow machine the second age may have come meanwhile: then both are refused, and the first is in any case.
    expect(code(control)).toBe('revocation.stale');
    if (feedOf(cutOff).freshness() === 'control_stale') expect(other.status).toBe(200);
  } finally {
    wire.mend();
    await fresh();
  }
}, 60_000);
