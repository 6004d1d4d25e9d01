import { randomUUID } from 'node:crypto';
import { Agent, clockOff } from '../harness/agent.js';
import { certificateFileOf, keyFileOf } from '../harness/agent-state.js';
import { parkedDrive } from '../harness/drives.js';
import { elevatedToken } from '../harness/elevation.js';
import { FalseCommandService } from '../harness/false-command-service.js';
import { inFolder, newDeviceId } from '../harness/folder.js';
import { operator } from '../harness/operator.js';
import { partsOf } from '../harness/token-signing-key.js';
import { until } from '../harness/until.js';
import { makeDevice } from '../harness/vehicle.js';
import { attack, type Trial } from './attack.js';
import { type Captured, Interceptor } from './captured-commands.js';
import { unharmed } from './cast.js';

const HOUR = 3600;

/** A vehicle's place on the disk, and the agents that run on it one after the other. */
class Car {
  readonly state: string;
  agent: Agent | undefined;

  private constructor(
    readonly id: string,
    private readonly factory: string,
  ) {
    this.state = inFolder(`${id}-state`);
  }

  static async make(): Promise<Car> {
    const id = newDeviceId('out-of-time');
    return new Car(id, (await makeDevice(id)).folder);
  }

  async drive(...args: string[]): Promise<Agent> {
    await this.agent?.stop();
    const place = ['--state', this.state, '--factory', this.factory, '--drive', parkedDrive()];
    this.agent = new Agent('run', ...place, ...args);
    await this.agent.seen('started');
    return this.agent;
  }

  thief(): Interceptor {
    return new Interceptor(this.id, certificateFileOf(this.state), keyFileOf(this.state));
  }
}

/** What the running agent makes of a command that it is offered. */
async function offered(agent: Agent, service: FalseCommandService, { id, jws }: Captured): Promise<string> {
  const from = agent.events.length;
  service.offer(id, jws);
  return made(agent, id, from);
}

async function made(agent: Agent, id: string, from: number): Promise<string> {
  const event = await until(
    'what the vehicle makes of it',
    () => agent.events.slice(from).find((one) => one.id === id && /^command_(done|again|refused)$/.test(one.event)),
    { withinMs: 30_000, everyMs: 20 },
  );
  if (event.event === 'command_done') return event.result === 'succeeded' ? 'executed' : `${event.result}`;
  return event.event === 'command_again' ? 'not executed again' : `refused: ${event.code}`;
}

/** By an operator, to the vehicle as it runs. */
async function sent(car: Car, name: string): Promise<string> {
  const from = car.agent?.events.length ?? 0;
  const { body } = await operator('command', 'POST', `/v1/vehicles/${car.id}/commands`, {
    body: { name },
    headers: { 'idempotency-key': randomUUID() },
    token: await elevatedToken('command:send-critical'),
  });
  return made(car.agent as Agent, body.id, from);
}

async function epochs(trial: Trial, car: Car, service: FalseCommandService): Promise<void> {
  const thief = car.thief();
  const [first, held] = [await thief.capture({ name: 'honk' }), await thief.capture({ name: 'honk' })];
  // As if the vehicle had refused by a counter that the service does not know: a new epoch, by a nonce of the thief's.
  const led = await thief.capture({ name: 'honk' }, { last: { epoch: 1, counter: 41 } });
  const bound = await thief.capture({ name: 'honk' });
  const plain = await thief.capture({ name: 'honk' });
  await thief.close();
  const epochs = [held, led, bound, plain].map(({ jws }) => partsOf(jws).claims.epoch);
  trial.must('the epochs', epochs.join() === '1,1,2,2', epochs);
  const agent = await car.drive('--endpoints', service.endpointsFile());
  trial.check('the command', 'executed', await offered(agent, service, first));
  trial.check('a later epoch without a nonce', 'refused: epoch', await offered(agent, service, plain));
  trial.check("a later epoch by another's nonce", 'refused: nonce', await offered(agent, service, bound));
  await car.drive();
  trial.check('the next honest one', 'refused: epoch', await sent(car, 'honk'));
  trial.check('which leads the vehicle on', 'executed', await sent(car, 'honk'));
  const again = await car.drive('--endpoints', service.endpointsFile());
  for (const [what, captured] of [
    ['held back', held],
    ['the one before', led],
  ] as const)
    trial.check(`of the earlier epoch, ${what}`, 'refused: counter', await offered(again, service, captured));
  trial.check("by another's nonce, again", 'not executed again', await offered(again, service, bound));
}

async function clocks(trial: Trial, car: Car, service: FalseCommandService): Promise<void> {
  await car.drive(clockOff(HOUR));
  trial.check('an hour ahead, without a nonce', 'refused: expired', await sent(car, 'honk'));
  trial.check('an hour ahead, by its nonce', 'executed', await sent(car, 'unlock'));
  await car.drive(clockOff(-HOUR));
  trial.check('an hour behind, by its nonce', 'executed', await sent(car, 'unlock'));
  await car.agent?.stop();
  const thief = car.thief();
  const stolen = await thief.capture({ name: 'unlock' });
  await thief.close();
  const agent = await car.drive(clockOff(-HOUR), '--endpoints', service.endpointsFile());
  trial.check("an hour behind, by another's nonce", 'refused: nonce', await offered(agent, service, stolen));
}

export const commandsOutOfTime = attack(
  16,
  "replays commands across epochs, and to a vehicle whose clock is an hour off; brings it into an epoch by a nonce that is not the vehicle's",
  'the vehicle refuses each; what carries its own nonce it carries out, whatever its clock says',
  async (trial) => {
    const [car, service] = [await Car.make(), await FalseCommandService.open()];
    try {
      const agent = await car.drive();
      await agent.seen('accepted');
      await agent.stop();
      await epochs(trial, car, service);
      await clocks(trial, car, service);
      await unharmed(trial);
    } finally {
      await car.agent?.stop();
      service.close();
    }
  },
);
