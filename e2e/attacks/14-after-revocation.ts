import { deniedInLog } from '../harness/decisions.js';
import { VEHICLE_SERVICES } from '../harness/endpoints.js';
import { newRequest } from '../harness/openssl.js';
import { operator } from '../harness/operator.js';
import { type Ask, Thief, untilRefused } from '../harness/thief.js';
import { sleep } from '../harness/until.js';
import { head, Wire } from '../harness/wire.js';
import { attack } from './attack.js';
import { bystander, Party, unharmed } from './cast.js';
import { said } from './said.js';

const WITHIN_MS = 1000;

async function everyDoor(car: Party): Promise<Ask[]> {
  const token = await car.token();
  const control = await car.token('command:receive');
  const form = `grant_type=client_credentials&client_id=${car.id}`;
  const request = await newRequest(car.vehicle.key, `/CN=${car.id}`);
  return [
    {
      service: 'token',
      method: 'POST',
      path: '/oauth2/token',
      body: form,
      contentType: 'application/x-www-form-urlencoded',
    },
    { service: 'telemetry', method: 'GET', path: '/v1/telemetry/window', token },
    { service: 'command', method: 'GET', path: '/v1/commands/next?wait=0', token: control },
    {
      service: 'provisioning',
      method: 'POST',
      path: '/.well-known/est/simplereenroll',
      body: request,
      contentType: 'application/pkcs10',
    },
  ];
}

/** One idle connection to each service, and one that streams. */
async function openAll(party: Party): Promise<Wire[]> {
  const idle = await Promise.all(VEHICLE_SERVICES.map((service) => Wire.open(service, party.files())));
  const stream = await Wire.open('command', party.files());
  const authorization = `Bearer ${await party.token('command:receive')}`;
  await stream.ask(head('GET', '/v1/commands/stream', { authorization }));
  return [...idle, stream];
}

export const afterRevocation = attack(
  14,
  'uses a token after its certificate was revoked, and a connection opened before the revocation',
  'connection closed and every request refused within 1 s',
  async (trial) => {
    const [car, other] = [await Party.enrol('revoked'), await bystander()];
    const doors = await everyDoor(car);
    const thieves = doors.map((ask) => ({ ask, thief: new Thief(car.vehicle.certificate, car.vehicle.key) }));
    // The renewal answers with the certificate's successor, which the revocation must reach as well.
    for (const { ask, thief } of thieves) trial.check(`before, ${ask.service}`, /^20[04]$/, said(await thief.ask(ask)));
    const [wires, others] = [await openAll(car), await openAll(other)];

    const begun = performance.now();
    const refusals = thieves.map(({ ask, thief }) => untilRefused(thief, ask, begun, 5000));
    const revoked = await operator('revocation', 'POST', '/revoke', {
      body: { device_id: car.id, reason: 'key-compromise' },
    });
    trial.must('the revocation', revoked.status === 200, revoked.body);
    const refused = await Promise.all(refusals);
    for (const [index, { ask }] of thieves.entries()) {
      const { ms, seen } = refused[index] ?? { ms: Number.POSITIVE_INFINITY, seen: { status: 200, body: '' } };
      trial.must(
        `${ask.service} refuses`,
        ms < WITHIN_MS,
        `${said(seen)} after ${ms} ms`,
        `${ask.service} ${Math.round(ms)} ms`,
      );
    }
    await Promise.race([Promise.all(wires.map(({ closed }) => closed)), sleep(WITHIN_MS)]);
    const last = Math.max(...wires.map(({ closedAt }) => (closedAt ?? Number.POSITIVE_INFINITY) - begun));
    trial.must(
      'every connection is closed',
      last < WITHIN_MS,
      `after ${last} ms`,
      `connections closed ${Math.round(last)} ms`,
    );
    trial.must(
      'the streams of others stay',
      others.every(({ closedAt }) => closedAt === undefined),
      'closed',
    );
    for (const { ask, thief } of thieves) {
      trial.check(`after, ${ask.service}`, /^40[13] (denylist|est)\.[a-z_]+$/, said(await thief.ask(ask)));
      await thief.close();
    }
    for (const service of ['telemetry', 'token', 'command'] as const)
      await deniedInLog('denylist.certificate', { device: car.id, service }).catch(() =>
        deniedInLog('denylist.key', { device: car.id, service }),
      );
    for (const wire of others) wire.close();
    await unharmed(trial);
  },
);
