/** `decisions`: the log of every no, and how much was allowed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { z } from 'zod';
import { Unreachable } from '../exit-code.js';
import { inSession, type Session } from '../session.service.js';
import { whole } from './options.js';

const Decision = z.looseObject({ detail: z.string().nullish() });
type Decision = z.infer<typeof Decision>;
const Page = z.object({ items: z.array(Decision), next: z.string().nullish() });
const Refused = z.looseObject({ code: z.string(), title: z.string() });

const RECONNECT_MS = 1000;
const DETAIL_LENGTH = 60;
const HEAD = ['AT', 'SERVICE', 'DECISION', 'CODE', 'DEVICE OR ADDRESS', 'COUNT', 'DETAIL'];

interface DecisionsOptions {
  readonly device?: string;
  readonly code?: string;
  readonly service?: string;
  readonly thumbprint?: string;
  readonly tokenId?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit: number;
  readonly count?: number;
  readonly all?: boolean;
  readonly follow?: boolean;
  readonly ocsf?: boolean;
}

export function decisionsCommand(): Command {
  return new Command('decisions')
    .description('what was refused, and why')
    .option('--device <id>')
    .option('--code <code>', 'e.g. auth.token_binding_mismatch')
    .option('--service <name>')
    .option('--thumbprint <text>', 'of a certificate')
    .option('--token-id <jti>')
    .option('--from <time>', 'from then on, e.g. 2026-11-22T12:00:00Z')
    .option('--to <time>', 'before then')
    .option('--limit <n>', 'at most', whole, 50)
    .option('--all', 'what was allowed, too')
    .option('--follow', 'as they come, until interrupted')
    .option('--count <n>', 'with --follow: end after so many', whole)
    .option('--ocsf', 'as OCSF events for a SIEM, one JSON document a line')
    .action((options: DecisionsOptions, command: Command) =>
      inSession(command, (session) => (options.follow ? follow(session, options) : list(session, options))),
    );
}

function filterOf({ device, code, service, thumbprint, tokenId, from, to, all, ocsf }: DecisionsOptions) {
  const decision = all ? undefined : 'deny';
  return { device, code, service, thumbprint, token: tokenId, from, to, decision, form: ocsf ? 'ocsf' : undefined };
}

async function list({ operator, output }: Session, options: DecisionsOptions): Promise<void> {
  const query = { ...filterOf(options), limit: options.limit };
  const page = Page.parse(await operator.call('gateway', 'GET', '/v1/decisions', { query }));
  if (options.ocsf) for (const item of page.items) output.write(JSON.stringify(item));
  else output.table(page, HEAD, page.items.map(rowOf));
}

/** A stream that ends (its token has, or the gateway restarts) goes on behind its last decision. */
async function follow({ operator, output }: Session, options: DecisionsOptions): Promise<void> {
  const query = filterOf(options);
  let left = options.count ?? Number.POSITIVE_INFINITY;
  let behind: string | undefined;
  let connected = false;
  while (left > 0) {
    try {
      for await (const { event, data, id } of operator.events('gateway', '/v1/decisions/stream', { query, behind })) {
        connected = true;
        if (event === 'error') {
          const { code, title } = Refused.parse(JSON.parse(data));
          if (!code.startsWith('auth.token')) throw new Error(`${code}: ${title}`);
        }
        if (event !== 'decision') continue;
        behind = id;
        const decision = Decision.parse(JSON.parse(data));
        if (options.ocsf) output.write(JSON.stringify(decision));
        else output.item(decision, [...wordsOf(decision), decision.detail]);
        left -= 1;
        if (left <= 0) return;
      }
    } catch (error) {
      if (!(error instanceof Unreachable) || !connected) throw error;
    }
    await sleep(RECONNECT_MS);
  }
}

/** Who was refused without a device is known by the address. */
function wordsOf({ at, service, decision, code, device_id, remote_address, count }: Decision): unknown[] {
  return [at, service, decision, code, device_id ?? remote_address, count];
}

/** With what fits a line of the detail; `--json` has all of it. */
function rowOf(decision: Decision): unknown[] {
  const detail = decision.detail ?? '';
  return [...wordsOf(decision), detail.length > DETAIL_LENGTH ? `${detail.slice(0, DETAIL_LENGTH - 1)}…` : detail];
}
