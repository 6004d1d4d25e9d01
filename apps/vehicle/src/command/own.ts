/** What the agent itself carries out, and does not only simulate: it delivers its log, and it enrols anew. */
import { z } from 'zod';
import { type CommandHandler, fitting } from './handlers.js';

/** Of the effects that the vehicle keeps: whether it is to enrol anew, `asked` until it has. */
export const RECOVERY = 'recovery';

const Hours = z.strictObject({ hours: z.int().min(1).max(72).default(24) });
const Order = z.strictObject({ order: z.uuid().optional() });

export const OWN: readonly CommandHandler[] = [
  {
    name: 'fetch-logs',
    critical: true,
    afterCrash: 'repeatable',
    async carryOut(parameters, _vehicle, { deliverLogs }) {
      const { hours } = fitting(Hours, parameters);
      const logs = await deliverLogs(hours * 3600);
      if (!logs)
        return { result: 'failed', detail: 'the platform did not take the log in time; what it ordered still comes' };
      const { records, delivered, known, refused, givenUp } = logs;
      const data = { records, delivered, known, refused, given_up: givenUp };
      const counts = `${delivered} delivered, ${known} known already`;
      const lost = givenUp > 0 ? `, ${givenUp} in orders that came to nothing` : '';
      const detail = `of ${records} records of the last ${hours} hours ${counts}${lost}`;
      return refused === 0 && givenUp === 0
        ? { result: 'succeeded', detail, data }
        : { result: 'failed', detail, data };
    },
  },
  {
    name: 'recover',
    critical: true,
    afterCrash: 'repeatable',
    carryOut(parameters) {
      fitting(Order, parameters);
      // Not at once: the outcome goes out under the certificate that is about to be given up.
      const detail = 'enrols anew with another key, by the factory certificate where the fleet certificate is refused';
      return { result: 'succeeded', detail, effects: { [RECOVERY]: 'asked' }, simulated: false };
    },
  },
];
