import { createPrivateKey, randomUUID, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent } from '../harness/agent.js';
import { certificateFileOf, keyFileOf } from '../harness/agent-state.js';
import { parkedDrive } from '../harness/drives.js';
import { FalseCommandService } from '../harness/false-command-service.js';
import { inFolder, newDeviceId } from '../harness/folder.js';
import { configOf } from '../harness/service-config.js';
import { part, partsOf, signedJws } from '../harness/token-signing-key.js';
import { until } from '../harness/until.js';
import { makeDevice } from '../harness/vehicle.js';
import { attack, type Trial } from './attack.js';
import { type Captured, Interceptor } from './captured-commands.js';
import { bystander, unharmed } from './cast.js';
import { issue, newAuthority } from './forged-authority.js';

interface Scene {
  readonly trial: Trial;
  readonly agent: Agent;
  readonly service: FalseCommandService;
}

/** Offers it to the running agent; what that makes of it: `executed`, `again`, or why it was refused. */
async function offered({ agent, service }: Scene, { id, jws }: Captured): Promise<string> {
  const from = agent.events.length;
  service.offer(id, jws);
  const event = await until(
    'what the vehicle makes of it',
    () => agent.events.slice(from).find((one) => one.id === id && /^command_(done|again|refused)$/.test(one.event)),
    { withinMs: 10_000, everyMs: 20 },
  );
  if (event.event === 'command_done') return 'executed';
  return event.event === 'command_again' ? 'not executed again' : `refused: ${event.code}`;
}

function chainOf(file: string): string[] {
  const pems = readFileSync(file, 'utf8').match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? [];
  return pems.map((pem) => new X509Certificate(pem).raw.toString('base64'));
}

/** The command, signed by those who may not. */
async function forgeries({ jws }: Captured, state: string): Promise<[string, string, RegExp][]> {
  const { header, claims } = partsOf(jws);
  const [, , signature = ''] = jws.split('.');
  const key = (file: string) => createPrivateKey(readFileSync(file));
  const { identity } = configOf('command');
  const infrastructureCa = readFileSync(
    identity.certificateFile.replace(/services\/.*/, 'trust/infrastructure-ca.crt'),
  );
  const listener = [
    ...chainOf(identity.certificateFile),
    new X509Certificate(infrastructureCa).raw.toString('base64'),
  ].slice(0, 2);
  const own = await newAuthority('own-control', '/CN=Outrider control CA');
  const leaf = await issue(own, 'own-signer', '/CN=command');
  const vehicleCa = chainOf(identity.certificateFile.replace(/services\/.*/, 'trust/vehicle-ca.crt'));
  const asVehicle = [...chainOf(certificateFileOf(state)).slice(0, 1), ...vehicleCa];
  return [
    [
      'with other parameters',
      `${part(header)}.${part({ ...claims, parameters: { times: 5 } })}.${signature}`,
      /^refused: signature$/,
    ],
    ['with alg none', `${part({ ...header, alg: 'none' })}.${part(claims)}.`, /^refused: (signature|malformed)$/],
    [
      "by the listener's own TLS key",
      signedJws({ ...header, x5c: listener }, claims, key(identity.keyFile)),
      /^refused: signer_(usage|chain)$/,
    ],
    [
      'by a CA of its own',
      signedJws({ ...header, x5c: chainOf(leaf.certificate) }, claims, key(leaf.key)),
      /^refused: signer_chain$/,
    ],
    [
      "by the vehicle's own key",
      signedJws({ ...header, x5c: asVehicle }, claims, key(keyFileOf(state))),
      /^refused: signer_(usage|chain)$/,
    ],
  ];
}

async function play(scene: Scene, device: string, state: string): Promise<void> {
  const { trial, agent, service } = scene;
  const thief = new Interceptor(device, certificateFileOf(state), keyFileOf(state));
  const older = await thief.capture({ name: 'honk', parameters: { times: 1 } });
  const command = await thief.capture({ name: 'honk', parameters: { times: 1 } });
  const short = await thief.capture({ name: 'honk', parameters: { times: 1 }, expires_in: 1 });
  const unlock = await thief.capture({ name: 'unlock' });
  const last = await thief.capture({ name: 'honk', parameters: { times: 1 } });
  const { vehicle } = await bystander();
  const others = new Interceptor(vehicle.id, vehicle.certificate, vehicle.key);
  const anothers = await others.capture({ name: 'honk', parameters: { times: 1 } });
  await Promise.all([thief.close(), others.close()]);

  trial.check('the command', 'executed', await offered(scene, command));
  trial.check('again', 'not executed again', await offered(scene, command));
  trial.check('an older one, held back', 'refused: counter', await offered(scene, older));
  trial.check('one past its expiry', 'refused: expired', await offered(scene, short));
  trial.check("one with another's nonce", 'refused: nonce', await offered(scene, unlock));
  trial.check("another vehicle's", 'refused: wrong_device', await offered(scene, anothers));
  trial.check('under another id', 'refused: wrong_id', await offered(scene, { ...last, id: randomUUID() }));
  for (const [what, jws, wanted] of await forgeries(last, state))
    trial.check(what, wanted, await offered(scene, { id: last.id, jws }));
  trial.check('the next command itself', 'executed', await offered(scene, last));
  const executed = agent.of('command_executing').map(({ id }) => id);
  trial.must('executed is what was sent, once', executed.join() === [command.id, last.id].join(), executed);
  trial.must(
    'its outcome is sent again',
    service.outcomes.filter((id) => id === command.id).length === 2,
    service.outcomes,
  );
}

export const commandsToTheVehicle = attack(
  16,
  'replays a released command to the vehicle; delays it past its expiry; sends it to another vehicle; forges one',
  'the vehicle refuses each',
  async (trial) => {
    const id = newDeviceId('commanded');
    const [factory, service] = [await makeDevice(id), await FalseCommandService.open()];
    const state = inFolder(`${id}-state`);
    const agent = new Agent(
      'run',
      '--state',
      state,
      '--factory',
      factory.folder,
      '--endpoints',
      service.endpointsFile(),
      '--drive',
      parkedDrive(),
    );
    try {
      await agent.seen('enrolled');
      await agent.seen('accepted');
      await play({ trial, agent, service }, id, state);
      await unharmed(trial);
    } finally {
      await agent.stop();
      service.close();
    }
  },
);
