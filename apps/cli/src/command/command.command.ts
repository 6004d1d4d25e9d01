/** `command send | list | show | audit | watch | cancel | kinds | batch`: signed commands to vehicles. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { z } from 'zod';
import { StillPending } from '../exit-code.js';
import { inSession, type Session } from '../session.service.js';
import { batchCommand } from './batch.command.js';
import { parseParameters } from './parameters.js';
import { progressOf } from './progress.js';
import { seconds } from './seconds.js';
import { watchCommand } from './watch.command.js';

const CommandDocument = z.looseObject({ id: z.string(), state: z.string() });
const Items = z.looseObject({ items: z.array(z.looseObject({})) });
type CommandDocument = z.infer<typeof CommandDocument>;

interface SendOptions {
  readonly param: string[];
  readonly idempotencyKey?: string;
  readonly expiresIn?: number;
  readonly timeout?: number;
  readonly notBefore?: string;
  readonly wait?: number | true;
}

const AGAIN_MS = 200;
const WAIT_SECONDS = 60;

export function commandCommand(): Command {
  const send = new Command('send')
    .description('send one command; `command kinds` names them')
    .argument('<device>')
    .argument('<name>')
    .option(
      '--param <k=v>',
      'a parameter; may be repeated',
      (value: string, before: string[]) => [...before, value],
      [],
    )
    .option('--idempotency-key <key>', 'the same key and content again is the same command; default: a new one')
    .option('--expires-in <seconds>', 'how long it may still be released', seconds)
    .option('--timeout <seconds>', 'how long it may stay without an outcome once released', seconds)
    .option('--not-before <time>', 'RFC 3339: handed out no earlier')
    .option('--wait [seconds]', `until its outcome is known, at most so long (default ${WAIT_SECONDS})`, seconds)
    .action((device: string, name: string, options: SendOptions, command: Command) =>
      inSession(command, (session) => sendCommand(session, device, name, options)),
    );
  const show = new Command('show')
    .description('one command and its history')
    .argument('<id>')
    .action((id: string, _options: unknown, command: Command) =>
      inSession(command, async (session) => print(session, await get(session, id))),
    );
  const cancel = new Command('cancel')
    .description('take back a command that was not released')
    .argument('<id>')
    .action((id: string, _options: unknown, command: Command) =>
      inSession(command, async (session) => {
        const answer = await session.operator.call('command', 'POST', `/v1/commands/${encodeURIComponent(id)}/cancel`);
        print(session, CommandDocument.parse(answer));
      }),
    );
  const audit = new Command('audit')
    .description('what each step of a command stood on: tokens, elevations, policies, certificates, signed words')
    .argument('<id>')
    .action((id: string, _options: unknown, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const answer = await operator.call('command', 'GET', `/v1/commands/${encodeURIComponent(id)}/audit`);
        output.write(JSON.stringify(answer, undefined, 2));
      }),
    );
  const all = new Command('command').description('commands to vehicles');
  for (const each of [send, listCommand(), show, audit, watchCommand(), cancel, kindsCommand(), batchCommand()])
    all.addCommand(each);
  return all;
}

function listCommand(): Command {
  return new Command('list')
    .description("a vehicle's commands, newest first")
    .argument('<device>')
    .option('--limit <n>', 'how many', Number, 20)
    .action((device: string, { limit }: { limit: number }, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const path = `/v1/vehicles/${encodeURIComponent(device)}/commands` as const;
        const answer = Items.parse(await operator.call('command', 'GET', path, { query: { limit } }));
        const rows = answer.items.map(({ id, created_at, name, state, reason }) => [
          id,
          created_at,
          name,
          state,
          reason,
        ]);
        output.table(answer, ['ID', 'CREATED', 'COMMAND', 'STATE', 'REASON'], rows);
      }),
    );
}

function kindsCommand(): Command {
  return new Command('kinds').description('the commands that there are').action((_options: unknown, command: Command) =>
    inSession(command, async ({ operator, output }) => {
      const answer = Items.parse(await operator.call('command', 'GET', '/v1/command-kinds'));
      const rows = answer.items.map(({ name, critical, title }) => [name, critical ? 'critical' : '', title]);
      output.table(answer, ['NAME', '', 'TITLE'], rows);
    }),
  );
}

async function sendCommand(session: Session, device: string, name: string, options: SendOptions): Promise<void> {
  const parameters = parseParameters(options.param);
  const answer = await session.operator.call('command', 'POST', `/v1/vehicles/${encodeURIComponent(device)}/commands`, {
    headers: { 'idempotency-key': options.idempotencyKey ?? randomUUID() },
    body: {
      name,
      ...(options.param.length > 0 ? { parameters } : {}),
      ...(options.expiresIn === undefined ? {} : { expires_in: options.expiresIn }),
      ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
      ...(options.notBefore === undefined ? {} : { not_before: options.notBefore }),
    },
  });
  const sent = CommandDocument.parse(answer);
  if (options.wait === undefined) return print(session, sent);
  await waitFor(session, sent, options.wait === true ? WAIT_SECONDS : options.wait);
}

async function waitFor(session: Session, sent: CommandDocument, waitSeconds: number): Promise<void> {
  const deadline = performance.now() + waitSeconds * 1000;
  let now = sent;
  while (progressOf(now.state) === 'under_way' && performance.now() < deadline) {
    await sleep(AGAIN_MS);
    now = await get(session, sent.id);
  }
  print(session, now);
  const progress = progressOf(now.state);
  if (progress === 'failed') throw new Error(`the command ended ${now.state}`);
  if (progress === 'nobody_knows') throw new StillPending('whether it was carried out is not known');
  if (progress === 'under_way') throw new StillPending(`still ${now.state} after ${waitSeconds} s`);
}

async function get({ operator }: Session, id: string): Promise<CommandDocument> {
  return CommandDocument.parse(await operator.call('command', 'GET', `/v1/commands/${encodeURIComponent(id)}`));
}

function print({ output }: Session, document: CommandDocument): void {
  const { history, outcome, ...rest } = document;
  // The signed outcome is for scripts and auditors; a person wants what it says.
  const { data } = z.looseObject({ data: z.unknown() }).safeParse(outcome).data ?? {};
  output.record(output.json ? document : { ...rest, data });
  const steps = z.array(z.looseObject({})).safeParse(history).data ?? [];
  if (output.json || steps.length === 0) return;
  output.write('');
  output.table(
    steps,
    ['STATE', 'AT', 'REASON'],
    steps.map(({ state, at, reason }) => [state, at, reason]),
  );
}
