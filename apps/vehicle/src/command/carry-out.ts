/** Carries commands out on a vehicle that is not there: what each would do, as state, and said to be simulated. */
import { z } from 'zod';
import type { Command, OutcomeResult } from './command.js';

/** What a handler may look at. `speedKmh` undefined: the vehicle has not measured anything yet. */
export interface VehicleNow {
  readonly speedKmh: number | undefined;
  readonly position: { readonly lat: number; readonly lon: number } | undefined;
}

export interface CarriedOut {
  readonly result: OutcomeResult;
  readonly detail: string;
  readonly data?: Readonly<Record<string, unknown>>;
  /** Written to the vehicle's state: name -> value. */
  readonly effects: Readonly<Record<string, string>>;
  /** How long a real actuator would take. */
  readonly takesMs: number;
}

/** Above this the vehicle moves, and immobilising it waits until it stands. */
const STANDSTILL_KMH = 3;

const NoParameters = z.strictObject({});
const HANDLERS: Readonly<Record<string, (parameters: unknown, vehicle: VehicleNow) => CarriedOut>> = {
  honk(parameters) {
    const { times } = z.strictObject({ times: z.int().min(1).max(5).default(1) }).parse(parameters);
    return done(`honked ${times} times (simulated)`, { honked: String(times) }, 200 * times);
  },
  locate(parameters, { position }) {
    NoParameters.parse(parameters);
    if (!position) return { result: 'failed', detail: 'no position yet', effects: {}, takesMs: 0 };
    return { ...done('located', {}, 0), data: { ...position } };
  },
  'set-interval'(parameters) {
    const { seconds } = z.strictObject({ seconds: z.number().min(1).max(3600) }).parse(parameters);
    return done(`sampling every ${seconds} s`, { interval_seconds: String(seconds) }, 0);
  },
  unlock(parameters) {
    NoParameters.parse(parameters);
    return done('doors unlocked (simulated)', { doors: 'unlocked' }, 100);
  },
  immobilise(parameters, { speedKmh }) {
    NoParameters.parse(parameters);
    // Whoever sends it: a moving vehicle is not stopped from afar.
    if (speedKmh === undefined || speedKmh > STANDSTILL_KMH) {
      return done('will not start again once it stands (simulated)', { immobilised: 'at_standstill' }, 100);
    }
    return done('immobilised (simulated)', { immobilised: 'now' }, 100);
  },
};

/** A name or parameters this vehicle does not know are refused; it never guesses. */
export function carryOut({ name, parameters }: Command, vehicle: VehicleNow): CarriedOut {
  const handler = Object.hasOwn(HANDLERS, name) ? HANDLERS[name] : undefined;
  if (!handler) return { result: 'refused', detail: 'unknown_name', effects: {}, takesMs: 0 };
  try {
    return handler(parameters, vehicle);
  } catch (error) {
    if (error instanceof z.ZodError) return { result: 'refused', detail: 'parameters', effects: {}, takesMs: 0 };
    throw error;
  }
}

function done(detail: string, effects: Readonly<Record<string, string>>, takesMs: number): CarriedOut {
  return { result: 'succeeded', detail, effects, takesMs };
}
