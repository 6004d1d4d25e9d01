/** `telemetry tail`: accepted records as they come. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { z } from 'zod';
import { Unreachable } from '../exit-code.js';
import { inSession, type Session } from '../session.service.js';
import { pathOf, whole } from './options.js';
import { ShownRecord, wordsOf } from './shown-record.js';

const Page = z.object({ items: z.array(ShownRecord), next: z.string().nullish() });
const Refused = z.looseObject({ code: z.string(), title: z.string() });

interface TailOptions {
  readonly device?: string;
  readonly count?: number;
  readonly last: number;
  readonly all?: boolean;
  readonly follow: boolean;
}

const PAGE = 200;
const AGAIN_MS = 500;
const RECONNECT_MS = 1000;

export function tailCommand(): Command {
  return new Command('tail')
    .description('accepted records: the last stored ones, then as they come')
    .option('--device <id>', 'of one device')
    .option('--last <n>', 'begin with so many stored ones, at most 500', whole, 10)
    .option('--all', 'begin with the first stored one')
    .option('--count <n>', 'end after so many', whole)
    .option('--no-follow', 'end with the last stored one')
    .action((options: TailOptions, command: Command) =>
      inSession(command, (session) => {
        const { device, follow, all } = options;
        return device !== undefined && follow && !all ? live(session, device, options) : pages(session, options);
      }),
    );
}

/** A script gets the record as it was received, a person what it says. */
function viewOf({ output }: Session): 'raw' | 'decoded' {
  return output.json ? 'raw' : 'decoded';
}

/** Of all devices, or from the beginning: page by page. */
async function pages(session: Session, { device, count, last, all, follow }: TailOptions): Promise<void> {
  const { operator, output } = session;
  const path = device === undefined ? '/v1/telemetry' : pathOf(device);
  const view = viewOf(session);
  let after: string | undefined;
  let left = count ?? Number.POSITIVE_INFINITY;
  while (left > 0) {
    const limit = Math.min(PAGE, left);
    const latest = after === undefined && !all;
    const query = latest ? { latest: Math.min(last, left, 500), view } : { after, limit, view };
    const page = Page.parse(await operator.call('telemetry', 'GET', path, { query }));
    for (const item of page.items) output.item(item, wordsOf(item));
    left -= page.items.length;
    after = page.next ?? after;
    if (page.items.length > 0) continue;
    if (!follow) return;
    await sleep(AGAIN_MS);
  }
}

/** A stream that ends (its token has, or the service restarts) goes on behind its last record. */
async function live(session: Session, device: string, { count, last }: TailOptions): Promise<void> {
  const { operator, output } = session;
  const query = { last: Math.min(last, count ?? last, 500), view: viewOf(session) };
  let left = count ?? Number.POSITIVE_INFINITY;
  let behind: string | undefined;
  let connected = false;
  while (left > 0) {
    try {
      for await (const { event, data, id } of operator.events('telemetry', pathOf(device, '/tail'), {
        query,
        behind,
      })) {
        connected = true;
        if (event === 'error') {
          const { code, title } = Refused.parse(JSON.parse(data));
          if (!code.startsWith('auth.token')) throw new Error(`${code}: ${title}`);
        }
        if (event !== 'record') continue;
        behind = id;
        const record = ShownRecord.parse(JSON.parse(data));
        output.item(record, wordsOf(record));
        left -= 1;
        if (left <= 0) return;
      }
    } catch (error) {
      if (!(error instanceof Unreachable) || !connected) throw error;
    }
    await sleep(RECONNECT_MS);
  }
}
