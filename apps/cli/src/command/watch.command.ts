/** `command watch`: changes of commands as they happen. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { z } from 'zod';
import { Unreachable } from '../exit-code.js';
import { inSession, type Session } from '../session.service.js';

const Change = z.looseObject({
  command_id: z.string(),
  device_id: z.string(),
  name: z.string(),
  state: z.string(),
  at: z.string(),
  reason: z.string().optional(),
});
const Refused = z.looseObject({ code: z.string() });

const AGAIN_MS = 1000;

interface WatchOptions {
  readonly device?: string;
  readonly command?: string;
  readonly batch?: string;
  readonly count?: number;
}

export function watchCommand(): Command {
  return new Command('watch')
    .description('changes of commands as they happen, until interrupted')
    .option('--device <id>', 'of one vehicle')
    .option('--command <id>', 'of one command')
    .option('--batch <id>', 'of one batch')
    .option('--count <n>', 'end after so many', Number)
    .action((options: WatchOptions, command: Command) => inSession(command, (session) => watch(session, options)));
}

/** A stream that ends (its token has, or the service restarts) goes on behind its last event. */
async function watch(
  { operator, output }: Session,
  { device, command, batch, count = Number.POSITIVE_INFINITY }: WatchOptions,
): Promise<void> {
  const query = {
    ...(device === undefined ? {} : { device }),
    ...(command === undefined ? {} : { command }),
    ...(batch === undefined ? {} : { batch }),
  };
  let seen = 0;
  let behind: string | undefined;
  let connected = false;
  while (seen < count) {
    try {
      for await (const { event, data, id } of operator.events('command', '/v1/command-changes', { query, behind })) {
        connected = true;
        if (event === 'refused') {
          const { code } = Refused.parse(JSON.parse(data));
          if (code !== 'auth.token_expired') throw new Error(code);
        }
        if (event !== 'change') continue;
        behind = id;
        const change = Change.parse(JSON.parse(data));
        const { at, device_id, name, state, command_id, reason } = change;
        output.item(change, [at, device_id, name, state, command_id, reason]);
        seen += 1;
        if (seen >= count) return;
      }
    } catch (error) {
      if (!(error instanceof Unreachable) || !connected) throw error;
    }
    await sleep(AGAIN_MS);
  }
}
