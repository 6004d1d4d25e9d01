import { BUCKETS, CONTRACTS, denylistKey, filterOf } from '@outrider/contracts';
import { SERVICES, type Service } from '../harness/endpoints.js';
import { enforcedByAll } from '../harness/enforcement.js';
import { NatsUser } from '../harness/nats-user.js';
import { operator } from '../harness/operator.js';
import { configOf, secretIn } from '../harness/service-config.js';
import { sleep } from '../harness/until.js';
import { attack, type Trial } from './attack.js';
import { Party, unharmed, victim } from './cast.js';
import { said } from './said.js';

const REFUSED = 'refused by the server';

/** By the list of contracts: whatever others alone may publish or answer. */
async function subjects(trial: Trial, service: Service, user: NatsUser): Promise<void> {
  for (const contract of CONTRACTS) {
    const filter = contract.kind === 'event' ? filterOf(contract) : contract.subject;
    const subject = filter.replace(/\*$/, 'device-x');
    if (!(contract.from as readonly string[]).includes(service))
      trial.check(`${service} publishes ${subject}`, REFUSED, await user.publish(subject));
    const live = contract.kind === 'event' ? contract.live : [];
    const hears = ([] as readonly string[]).concat(contract.to, live).includes(service);
    if (!hears) trial.check(`${service} hears ${subject}`, REFUSED, await user.subscribe(filter));
  }
  for (const other of SERVICES.filter((one) => one !== service)) {
    trial.check(`${service} hears ${other}'s answers`, REFUSED, await user.subscribe(`_INBOX.${other}.>`));
    trial.check(`${service} forges ${other}'s lease`, REFUSED, await user.publish(`$KV.INSTANCES.${other}.x`));
  }
  for (const wide of ['>', '_INBOX.>', '$KV.>', '$JS.>', '*.*.*.*'])
    trial.check(`${service} hears ${wide}`, REFUSED, await user.subscribe(wide));
}

async function denylist(trial: Trial, service: Service, user: NatsUser, entry: string): Promise<void> {
  const streams = [...BUCKETS.map(({ name }) => `KV_${name}`), 'EVENTS'];
  const calls = streams.flatMap((stream) => [
    `$JS.API.STREAM.PURGE.${stream}`,
    `$JS.API.STREAM.DELETE.${stream}`,
    `$JS.API.STREAM.UPDATE.${stream}`,
    `$JS.API.STREAM.MSG.DELETE.${stream}`,
    `$JS.API.STREAM.SNAPSHOT.${stream}`,
  ]);
  const own = [
    `$KV.DENYLIST.${entry}`,
    '$KV.DENYLIST.heartbeat',
    '$JS.API.STREAM.CREATE.MINE',
    '$JS.API.CONSUMER.DELETE.EVENTS.any',
    // Whoever makes a consumer names the subject the server delivers to.
    '$JS.API.CONSUMER.CREATE.EVENTS',
    '$JS.API.CONSUMER.CREATE.EVENTS.mine.gateway.decision.made.v1',
    '$JS.API.CONSUMER.CREATE.EVENTS.gateway-gateway-decision-made-v1.gateway.decision.made.v1',
    '$JS.API.CONSUMER.DURABLE.CREATE.EVENTS.gateway-gateway-decision-made-v1',
  ];
  for (const subject of [...own, ...calls]) trial.check(`${service}: ${subject}`, REFUSED, await user.publish(subject));
}

/** The server delivers for whoever makes a consumer, to a subject of his choice: what arrives there must still be nothing to its reader. */
async function byTheServersHand(trial: Trial, user: NatsUser): Promise<void> {
  for (const [subject, group] of [
    ['revocation.denylist.remove.v1', 'revocation'],
    ['revocation.denylist.add.v1', 'revocation'],
    ['ca.certificate.sign.v2', 'fleet-ca'],
    ['token.jwks.changed.v1', undefined],
    ['$JS.API.STREAM.PURGE.KV_DENYLIST', undefined],
  ] as const) {
    const name = `deputy-${Date.now()}`;
    const filter = '$KV.DENYLIST.>';
    const config = {
      name,
      filter_subject: filter,
      deliver_subject: subject,
      deliver_policy: 'all',
      ack_policy: 'none',
      mem_storage: true,
      ...(group ? { deliver_group: group } : {}),
    };
    await user.api(`CONSUMER.CREATE.KV_DENYLIST.${name}.${filter}`, { stream_name: 'KV_DENYLIST', config });
    await sleep(200);
    await user.api(`CONSUMER.DELETE.KV_DENYLIST.${name}`);
  }
  trial.note('what the server delivers on its own is nothing to its reader');
}

async function strangers(trial: Trial): Promise<void> {
  const { url, passwordFile } = configOf('telemetry').nats;
  for (const [user, password] of [
    ['', ''],
    ['revocation', secretIn(passwordFile)],
    ['provisioner', secretIn(passwordFile)],
    ['telemetry', 'guessed'],
  ] as const) {
    const seen = await NatsUser.as(url, user, password).then(
      async (one) => {
        await one.close();
        return 'let in';
      },
      () => 'not let in',
    );
    trial.check(`as "${user}"`, 'not let in', seen);
  }
}

export const anotherServicesSubjects = attack(
  27,
  'publishes on NATS as one service what only another may publish',
  'refused by the server',
  async (trial) => {
    const [car, revoked] = [await victim(), await Party.enrol('stays-revoked')];
    const path = '/v1/telemetry/window';
    const ask = async () =>
      said(await revoked.client.ask({ service: 'telemetry', method: 'GET', path, token: await revoked.token() }));
    trial.must('before', (await ask()) === '200', await ask());
    const answer = await operator('revocation', 'POST', '/revoke?wait=enforced', {
      body: { device_id: revoked.id, reason: 'key-compromise' },
    });
    trial.must('the revocation', answer.status === 200 && enforcedByAll(answer.body), answer.body);
    const entry = denylistKey('device', car.id);
    for (const service of ['telemetry', 'command', 'gateway', 'token', 'provisioning', 'fleet-ca'] as const) {
      const user = await NatsUser.service(service);
      const info = await user.api('STREAM.INFO.KV_DENYLIST');
      trial.must(`${service} reads the denylist`, info?.config !== undefined, info);
      await denylist(trial, service, user, entry);
      if (service === 'telemetry' || service === 'gateway') await subjects(trial, service, user);
      if (service === 'telemetry') await byTheServersHand(trial, user);
      await user.close();
    }
    await strangers(trial);
    const provisioner = await NatsUser.provisioner();
    const forged = await provisioner.api<{ error?: { code: number } }>('STREAM.MSG.GET.KV_DENYLIST', {
      last_by_subj: `$KV.DENYLIST.${entry}`,
    });
    trial.must('no entry was written', forged?.error?.code === 404, forged);
    await provisioner.close();
    trial.check('who was revoked stays so', /^40[13] denylist\.[a-z]+$/, await ask());
    trial.check('who was not is let in', '200 accepted', said(await car.send(car.message())));
    await unharmed(trial);
  },
);
