/** `telemetry tail`: accepted records as they come. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { inSession, type Session } from '../session.service.js';

const Item = z.looseObject({ device_id: z.string(), seq: z.number(), ts: z.number(), payload: z.string().optional() });
const Page = z.object({ items: z.array(Item), next: z.string().nullish() });

interface TailOptions {
  readonly device?: string;
  readonly count?: number;
  readonly last: number;
  readonly all?: boolean;
  readonly follow: boolean;
}

const PAGE = 200;
const AGAIN_MS = 500;

export function telemetryCommand(): Command {
  return new Command('telemetry').description('what vehicles send').addCommand(
    new Command('tail')
      .description('accepted records: the last stored ones, then as they come')
      .option('--device <id>', 'of one device')
      .option('--last <n>', 'begin with so many stored ones, at most 500', whole, 10)
      .option('--all', 'begin with the first stored one')
      .option('--count <n>', 'end after so many', whole)
      .option('--no-follow', 'end with the last stored one')
      .action((options: TailOptions, command: Command) => inSession(command, (session) => tail(session, options))),
  );
}

async function tail({ operator, output }: Session, { device, count, last, all, follow }: TailOptions): Promise<void> {
  const path = device === undefined ? '/v1/telemetry' : `/v1/devices/${encodeURIComponent(device)}/telemetry`;
  let after: string | undefined;
  let left = count ?? Number.POSITIVE_INFINITY;
  while (left > 0) {
    const limit = Math.min(PAGE, left);
    const latest = after === undefined && !all;
    const query = latest ? { latest: Math.min(last, left, 500) } : { after, limit };
    const page = Page.parse(await operator.call('telemetry', 'GET', path, { query }));
    for (const item of page.items) output.item(item, words(item));
    left -= page.items.length;
    after = page.next ?? after;
    if (page.items.length > 0) continue;
    if (!follow) return;
    await sleep(AGAIN_MS);
  }
}

function words({ device_id, seq, ts, payload = '' }: z.infer<typeof Item>): unknown[] {
  return [new Date(ts * 1000).toISOString(), device_id, `#${seq}`, ...measurement(payload)];
}

function measurement(payload: string): string[] {
  try {
    const { telemetry } = z.object({ telemetry: z.record(z.string(), z.unknown()) }).parse(JSON.parse(payload));
    return Object.entries(telemetry).map(([name, value]) => `${name}=${String(value)}`);
  } catch {
    return [payload];
  }
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number above 0');
  return value;
}
