/** The state machine, a vehicle and everything between them that may fail, as one model: whatever happens, in whatever order. */
import { expect, it } from '@jest/globals';
import { CommandId, DeviceId } from '@outrider/ids';
import fc from 'fast-check';
import {
  type Command,
  cancel,
  challenge,
  deny,
  elapse,
  isBeforeRelease,
  NEXT,
  offer,
  release,
  resolve,
  type Transition,
} from './command.js';

const T0 = Date.parse('2026-03-01T12:00:00Z');
const BASIS = { policies: ['p'], version: 1 };
const EXPIRES_MS = 60_000;

/** What is on the service's disk; a crash between two statements loses what was not committed, and nothing else. */
class Service {
  command: Command;
  counter = 0;
  readonly path: string[] = ['queued'];

  constructor(critical: boolean) {
    this.command = {
      id: CommandId.parse('0b9ec7a2-3c41-4a8e-9a55-0c4e7b9d2f10'),
      deviceId: DeviceId.parse('device-12345'),
      name: critical ? 'unlock' : 'honk',
      parameters: {},
      critical,
      state: 'queued',
      requestedBy: 'op:1',
      requestedAs: null,
      createdAt: new Date(T0),
      expiresAt: new Date(T0 + EXPIRES_MS),
      notBefore: null,
      batchId: null,
      timeoutSeconds: 30,
      nonce: null,
      jws: null,
      releasedAt: null,
      resolvedAt: null,
      reason: null,
    };
  }

  /** By compare-and-set on the state, as `Transitions.save` does it; `lost`: killed before the commit. */
  commit(transitions: readonly (Transition | undefined)[], lost: boolean): void {
    for (const transition of transitions) {
      if (!transition || lost) return;
      if (transition.from !== this.command.state) throw new Error('compare-and-set');
      expect(NEXT[transition.from]).toContain(transition.command.state);
      this.command = transition.command;
      this.path.push(transition.command.state);
    }
  }
}

/** What is on the vehicle's disk. */
class Vehicle {
  begun: string | undefined;
  outcome: 'succeeded' | 'unknown' | undefined;
  executed = 0;
  nonce = 0;
}

interface World {
  readonly service: Service;
  readonly vehicle: Vehicle;
  nowMs: number;
  /** Signed bytes that are somewhere on the way, as often as they went out. */
  readonly onTheWay: string[];
}

const STEPS = [
  'ask',
  'nonce',
  'arrive',
  'answer',
  'cancel',
  'deny',
  'sweep',
  'wait',
  'long wait',
  'restart vehicle',
  'new nonce',
] as const;
type Step = (typeof STEPS)[number];

/** `crash`: of whoever acts, before what it does is on its disk. */
function act(world: World, step: Step, crash: boolean): void {
  const { service, vehicle } = world;
  const now = new Date(world.nowMs);
  const { command } = service;
  const sign = () => release({ ...service.command }, `jws-${++service.counter}`, BASIS, now);
  if (step === 'wait') world.nowMs += 5_000;
  if (step === 'long wait') world.nowMs += 40_000;
  if (step === 'sweep') service.commit([elapse(command, now)], crash);
  if (step === 'cancel') service.commit([cancel(command, 'x', now)], crash);
  if (step === 'deny') service.commit([deny(command, BASIS, now)], crash);
  if (step === 'new nonce') vehicle.nonce += 1;
  if (step === 'ask' && now < command.expiresAt) {
    if (command.critical) service.commit([offer(command, now)], crash);
    else if (isBeforeRelease(command.state)) service.commit([sign()], crash);
    if (!command.critical && service.command.state === 'released') world.onTheWay.push(service.command.jws!);
  }
  if (step === 'nonce') {
    const challenged = challenge(command, `n${vehicle.nonce}`, now);
    if (challenged) {
      const next = `jws-${++service.counter}`;
      service.commit([challenged, release(challenged.command, next, BASIS, now)], crash);
    }
    if (service.command.jws) world.onTheWay.push(service.command.jws);
  }
  if (step === 'arrive') arrive(world, crash);
  if (step === 'restart vehicle' && vehicle.begun && !vehicle.outcome) vehicle.outcome = 'unknown';
  if (step === 'answer' && vehicle.outcome) service.commit([resolve(command, vehicle.outcome, undefined, now)], crash);
}

function arrive({ vehicle, onTheWay }: World, crash: boolean): void {
  const jws = onTheWay.at(-1);
  if (!jws || vehicle.begun) return;
  vehicle.begun = jws;
  // Killed in the midst of it: it may have happened, and is not begun again.
  vehicle.executed += 1;
  if (!crash) vehicle.outcome = 'succeeded';
}

it('is carried out at most once, from one release, and is nowhere for ever', () => {
  const steps = fc.array(fc.tuple(fc.constantFrom(...STEPS), fc.boolean()), { maxLength: 60 });
  fc.assert(
    fc.property(fc.boolean(), steps, (critical, script) => {
      const world: World = { service: new Service(critical), vehicle: new Vehicle(), nowMs: T0, onTheWay: [] };
      const { service, vehicle } = world;
      for (const [step, crash] of script) {
        const before = service.command;
        try {
          act(world, step, crash);
        } catch (error) {
          // What the machine refuses has changed nothing.
          expect(service.command).toBe(before);
          expect(String(error)).toMatch(/command\./);
        }
        expect(vehicle.executed).toBeLessThanOrEqual(1);
        expect(new Set(world.onTheWay).size).toBeLessThanOrEqual(1);
        // Nothing is on the way that is not on the disk: a kill between commit and answer loses the answer alone.
        for (const jws of world.onTheWay) expect(service.command.jws).toBe(jws);
        if (vehicle.executed > 0) expect(isBeforeRelease(service.command.state)).toBe(false);
        if (service.command.state === 'cancelled' || service.command.state === 'expired')
          expect(vehicle.executed).toBe(0);
      }
      // Left alone, with a vehicle that comes back and a sweep: it ends, and honestly.
      const finish: Step[] = ['restart vehicle', 'answer', 'long wait', 'long wait', 'sweep', 'answer'];
      for (const step of finish) {
        try {
          act(world, step, false);
        } catch (error) {
          expect(String(error)).toMatch(/command\./);
        }
      }
      const { state } = service.command;
      expect(['succeeded', 'unknown', 'expired', 'cancelled']).toContain(state);
      if (vehicle.outcome === 'succeeded') expect(state).toBe('succeeded');
      expect(service.path.filter((each) => each === 'released').length).toBeLessThanOrEqual(1);
    }),
    { numRuns: 500 },
  );
});
