import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SERVICES, type Service } from '../harness/endpoints.js';
import { enforcedByAll } from '../harness/enforcement.js';
import { publishedCounts } from '../harness/events.js';
import { newDeviceId } from '../harness/folder.js';
import { allReady, allTold, Load } from '../harness/load.js';
import { certificatesOf, newKey, newRequest } from '../harness/openssl.js';
import { isReady, operator } from '../harness/operator.js';
import { outriderJson } from '../harness/outrider.js';
import { isBack, killHard } from '../harness/processes.js';
import { loot, refusals } from '../harness/theft.js';
import { type Patience, until } from '../harness/until.js';
import { est, makeDevice, Vehicle } from '../harness/vehicle.js';

const PATIENCE: Patience = { withinMs: 40_000, everyMs: 200 };

/** Kills it, does something, and waits until its successor is ready. Returns how long that took, ms. */
async function crash(service: Service, meanwhile: () => Promise<void> = async () => {}): Promise<number> {
  const begun = performance.now();
  const former = killHard(service);
  await meanwhile();
  await until(`another ${service}`, () => isBack(service, former), PATIENCE);
  await until(`${service} is ready`, () => isReady(service), PATIENCE);
  return Math.round(performance.now() - begun);
}

describe('each service, killed while a fleet sends', () => {
  let load: Load;
  const back = new Map<string, number>();

  beforeAll(async () => {
    load = new Load('crash');
    await load.flows();
  });
  afterAll(async () => {
    await load?.agent.stop();
  });

  /** A device's enrolment that goes on until it is answered: one certificate, however often it was asked for. */
  async function enrolThrough(service: Service): Promise<void> {
    const id = newDeviceId('crash-enrol');
    const factory = await makeDevice(id);
    const body = await newRequest(await newKey(`${id}.key`, 'P-256'), `/CN=${id}`);
    const ask = async () => {
      const answer = await est('simpleenroll', body, factory);
      return answer.status === 200 && (await certificatesOf(answer.body))[0];
    };
    let certificate = '';
    const meanwhile = async () => {
      certificate = (await until('enrolled', ask, PATIENCE)) || '';
    };
    back.set(service, await crash(service, meanwhile));
    expect(await ask()).toBe(certificate);
    const { certificates } = await outriderJson<{ certificates: object[] }>('device', 'show', id);
    expect(certificates).toHaveLength(1);
  }

  it('fleet-ca: an enrolment gets through, and gets one certificate', () => enrolThrough('fleet-ca'));

  it('provisioning: an enrolment gets through, and gets one certificate', () => enrolThrough('provisioning'));

  it('token: tokens are given again, by keys that old tokens are still good under', async () => {
    const vehicle = await Vehicle.enrol('crash-token');
    const before = await vehicle.token();
    back.set(
      'token',
      await crash('token', async () => {
        await until('a token', async () => (await vehicle.askToken()).status === 200, PATIENCE);
      }),
    );
    expect((await vehicle.send('telemetry', 'GET', '/v1/telemetry/window', before)).status).toBe(200);
    expect((await vehicle.send('telemetry', 'GET', '/v1/telemetry/window', await vehicle.token())).status).toBe(200);
    await vehicle.close();
  });

  it('telemetry: the fleet goes on sending', async () => {
    back.set('telemetry', await crash('telemetry'));
    await load.flows();
  });

  it('command: what was accepted is carried out, once', async () => {
    const device = `${load.prefix}1`;
    const send = () =>
      operator('command', 'POST', `/v1/vehicles/${device}/commands`, {
        body: { name: 'honk' },
        headers: { 'idempotency-key': device },
      });
    const sent = await send();
    expect(sent.status).toBe(202);
    back.set('command', await crash('command'));
    const done = await until(
      'the command has succeeded',
      async () => {
        const { body } = await operator('command', 'GET', `/v1/commands/${sent.body.id}`);
        return body.state === 'succeeded' && body;
      },
      PATIENCE,
    );
    expect((await send()).body.id).toBe(done.id);
    expect(load.agent.of('command_executing').filter(({ id }) => id === done.id)).toHaveLength(1);
  });

  it('revocation: what it acknowledged is enforced, while it is away and after', async () => {
    const [before, last] = [await Vehicle.enrol('crash-before'), await Vehicle.enrol('crash-last')];
    const [goods, lastGoods] = [await loot(before), await loot(last)];
    await revoke(before);
    await refusals(before, goods, performance.now());
    await revoke(last);
    back.set(
      'revocation',
      await crash('revocation', async () => {
        await refusals(before, goods, performance.now());
      }),
    );
    await refusals(last, lastGoods, performance.now());
    await refusals(before, goods, performance.now());
    const next = await Vehicle.enrol('crash-next');
    expect(enforcedByAll(await revoke(next, '?wait=enforced'))).toBe(true);
  });

  it('gateway: what it acknowledged as blocked stays blocked', async () => {
    const vehicle = await Vehicle.enrol('crash-block');
    const goods = await loot(vehicle);
    const { status } = await operator('gateway', 'POST', '/admin/block', { body: { device_id: vehicle.id } });
    expect(status).toBe(200);
    back.set('gateway', await crash('gateway'));
    await refusals(vehicle, goods, performance.now());
    const { body } = await operator('gateway', 'GET', '/v1/blocks?limit=1000');
    expect(body.items).toContainEqual(expect.objectContaining({ device_id: vehicle.id }));
    await until(
      'the denials in the log',
      async () => (await operator('gateway', 'GET', `/v1/decisions?device=${vehicle.id}`)).body.items.length > 0,
      PATIENCE,
    );
  });

  it('afterwards all is ready, the fleet sends, and the account is in order', async () => {
    await allReady();
    await load.flows();
    const { acknowledged, ...account } = await load.settle();
    expect(account).toEqual({ lost: [], twice: [], refused: [] });
    const told = load.agent.acknowledged();
    await until('every accepted message was published', async () => {
      const counts = await publishedCounts(`telemetry.message.accepted.v1.${'>'}`);
      return [...told].every(
        ([device, seqs]) => (counts.get(`telemetry.message.accepted.v1.${device}`) ?? 0) >= seqs.size,
      );
    });
    expect(acknowledged).toBeGreaterThan(load.vehicles * 20);
    await allTold();
    const times = SERVICES.map((service) => `${service} ${back.get(service)}`).join(', ');
    console.log(`${acknowledged} messages acknowledged; ms from kill -9 to ready: ${times}`);
  });
});

async function revoke(vehicle: Vehicle, query = '') {
  const body = { thumbprint: await vehicle.thumbprint(), reason: 'key-compromise' };
  const answer = await operator('revocation', 'POST', `/revoke${query}`, { body });
  if (answer.status !== 200) throw new Error(JSON.stringify(answer));
  return answer.body;
}
