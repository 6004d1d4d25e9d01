/** `fleet rotate | rotation | rotations | cancel-rotation`: every selected vehicle renews its certificate now, in waves. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { StillPending, UsageError } from '../exit-code.js';
import { inSession, type Session } from '../session.service.js';
import { progressLine, Rotation, spanSeconds } from './rotation.js';

interface RotateOptions {
  readonly label?: string;
  readonly estLabel?: string;
  readonly all?: boolean;
  readonly within: number;
  readonly waves?: number;
  readonly reason: string;
  readonly wait?: boolean;
}

const AGAIN_MS = 2000;
/** After the last wave: vehicles ask a minute apart at most, and then renew at once. */
const GRACE_SECONDS = 90;
const Page = z.object({ items: z.array(Rotation), next: z.string().nullish() });

export function fleetCommand(): Command {
  const rotate = new Command('rotate')
    .description('have every selected vehicle renew its certificate now')
    .option('--label <label>', 'vehicles with this label in the registry')
    .option('--est-label <label>', 'vehicles whose certificate was issued under this EST label')
    .option('--all', 'every vehicle in service')
    .requiredOption('--within <time>', 'e.g. 10m: the last one begins by then', span)
    .requiredOption('--reason <text>', 'for the record')
    .option('--waves <n>', 'in so many waves (default: one a minute)', whole)
    .option('--wait', 'until all have renewed')
    .action((options: RotateOptions, command: Command) => inSession(command, (s) => startRotation(s, options)));
  const show = new Command('rotation')
    .description('how far a rotation is, and who lags behind')
    .argument('<id>')
    .action((id: string, _options: unknown, command: Command) =>
      inSession(command, async (s) => print(s, await get(s, id, true))),
    );
  const list = new Command('rotations')
    .description('the rotations, the newest first')
    .action((_options: unknown, command: Command) => inSession(command, listRotations));
  const cancel = new Command('cancel-rotation')
    .description('let vehicles that have not renewed go back to their own time')
    .argument('<id>')
    .action((id: string, _options: unknown, command: Command) =>
      inSession(command, async (s) =>
        print(s, Rotation.parse(await s.operator.call('provisioning', 'POST', `${path(id)}/cancel`))),
      ),
    );
  return new Command('fleet')
    .description('the vehicles as a whole')
    .addCommand(rotate)
    .addCommand(show)
    .addCommand(list)
    .addCommand(cancel);
}

async function startRotation(session: Session, options: RotateOptions): Promise<void> {
  const { label, estLabel, all, within, waves, reason, wait } = options;
  if ((label === undefined && estLabel === undefined) !== (all === true)) {
    throw new UsageError('give --label, --est-label or both; or --all for every vehicle there is');
  }
  const body = { label, est_label: estLabel, all, within_seconds: within, waves, reason };
  const answer = await session.operator.call('provisioning', 'POST', '/v1/rotations', { body, timeoutMs: 60_000 });
  const started = Rotation.parse(answer);
  if (!wait) return print(session, started);
  await waitFor(session, started, within + GRACE_SECONDS);
}

async function waitFor(session: Session, started: Rotation, waitSeconds: number): Promise<void> {
  const deadline = performance.now() + waitSeconds * 1000;
  let now = started;
  let said = '';
  while (now.state !== 'done' && now.state !== 'cancelled' && performance.now() < deadline) {
    const line = progressLine(now);
    if (line !== said && !session.output.json) session.output.write(line);
    said = line;
    await sleep(AGAIN_MS);
    now = await get(session, started.id, false);
  }
  print(session, now.state === 'done' ? now : await get(session, started.id, true));
  if (now.state === 'cancelled') throw new Error('the rotation was cancelled');
  if (now.state !== 'done')
    throw new StillPending(`${now.outstanding} vehicles have not renewed after ${waitSeconds} s`);
}

/** `whole`: with every straggler, not the first page alone. */
async function get({ operator }: Session, id: string, whole: boolean): Promise<Rotation> {
  const read = async (after?: string) =>
    Rotation.parse(await operator.call('provisioning', 'GET', path(id), { query: { limit: whole ? 1000 : 1, after } }));
  const rotation = await read();
  if (!whole || !rotation.stragglers) return rotation;
  const items = [...rotation.stragglers.items];
  for (let next = rotation.stragglers.next; next; ) {
    const page = (await read(next)).stragglers;
    items.push(...(page?.items ?? []));
    next = page?.next;
  }
  return { ...rotation, stragglers: { items, next: null } };
}

async function listRotations({ operator, output }: Session): Promise<void> {
  const { items } = Page.parse(await operator.call('provisioning', 'GET', '/v1/rotations', { query: { limit: 100 } }));
  output.table(
    { items },
    ['ROTATION', 'STATE', 'STARTED', 'RENEWED', 'SELECTED', 'REASON'],
    items.map((one) => [one.id, one.state, one.started_at, one.renewed, one.selected, one.reason]),
  );
}

function print({ output }: Session, rotation: Rotation): void {
  const { stragglers, ...rest } = rotation;
  output.record(output.json ? rotation : rest);
  if (output.json || !stragglers || stragglers.items.length === 0) return;
  output.write('');
  output.table(
    stragglers.items,
    ['STRAGGLER', 'WAVE', 'LAST SEEN', 'CERTIFICATE ENDS'],
    stragglers.items.map((one) => [one.device_id, one.wave, one.last_seen_at ?? 'never', one.certificate_not_after]),
  );
}

function path(id: string) {
  return `/v1/rotations/${encodeURIComponent(id)}` as const;
}

function span(text: string): number {
  const seconds = spanSeconds(text);
  if (seconds === undefined) throw new InvalidArgumentError('a time like 90s, 10m, 2m30s or 1h');
  return seconds;
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number above 0');
  return value;
}
