/** Carries commands out on a vehicle that is not there: what each would do, as state, and said to be simulated. */
import { z } from 'zod';
import { type CarriedOut, type CommandHandler, fitting } from './handlers.js';

/** Above this the vehicle moves, and immobilising it waits until it stands. */
const STANDSTILL_KMH = 3;

const Nothing = z.strictObject({});
const Times = z.strictObject({ times: z.int().min(1).max(5).default(1) });
const Minutes = z.strictObject({ minutes: z.int().min(1).max(30).default(10) });
const Seconds = z.strictObject({ seconds: z.number().min(1).max(3600) });

export const SIMULATED: readonly CommandHandler[] = [
  {
    name: 'honk',
    critical: false,
    afterCrash: 'uncertain',
    carryOut(parameters) {
      const { times } = fitting(Times, parameters);
      return done(`honked ${times} times (simulated)`, { honked: String(times) }, 200 * times);
    },
  },
  {
    name: 'locate',
    critical: false,
    afterCrash: 'repeatable',
    carryOut(parameters, { position }) {
      fitting(Nothing, parameters);
      if (!position) return { result: 'failed', detail: 'no position yet' };
      return { result: 'succeeded', detail: 'located', data: { ...position } };
    },
  },
  {
    name: 'set-interval',
    critical: false,
    afterCrash: 'repeatable',
    carryOut(parameters) {
      const { seconds } = fitting(Seconds, parameters);
      return done(`sampling every ${seconds} s`, { interval_seconds: String(seconds) }, 0);
    },
  },
  {
    name: 'unlock',
    critical: true,
    afterCrash: 'uncertain',
    carryOut(parameters) {
      fitting(Nothing, parameters);
      return done('doors unlocked (simulated)', { doors: 'unlocked' }, 100);
    },
  },
  {
    name: 'immobilise',
    critical: true,
    afterCrash: 'repeatable',
    carryOut(parameters, { speedKmh }) {
      fitting(Nothing, parameters);
      // Whoever sends it: a moving vehicle is not stopped from afar.
      if (speedKmh === undefined || speedKmh > STANDSTILL_KMH)
        return done('will not start again once it stands (simulated)', { immobilised: 'at_standstill' }, 100);
      return done('immobilised (simulated)', { immobilised: 'now' }, 100);
    },
  },
  {
    name: 'remote-start',
    critical: true,
    afterCrash: 'uncertain',
    carryOut(parameters, { speedKmh }) {
      const { minutes } = fitting(Minutes, parameters);
      if (speedKmh === undefined || speedKmh > STANDSTILL_KMH) return { result: 'refused', detail: 'not parked' };
      return done(`started for ${minutes} minutes (simulated)`, { engine: `${minutes} min` }, 100);
    },
  },
];

function done(detail: string, effects: Readonly<Record<string, string>>, takesMs: number): CarriedOut {
  return { result: 'succeeded', detail, effects, takesMs };
}
