/** `command batch ...`: one command to many vehicles. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { z } from 'zod';
import { StillPending, UsageError } from '../exit-code.js';
import { inSession, type Session } from '../session.service.js';
import { parseParameters } from './parameters.js';
import { seconds } from './seconds.js';

const Batch = z.looseObject({ id: z.string(), state: z.string() });
type Batch = z.infer<typeof Batch>;
const Devices = z.looseObject({ items: z.array(z.looseObject({})), next: z.string().nullish() });
const Batches = z.looseObject({ items: z.array(z.looseObject({})) });

const AGAIN_MS = 500;
const WAIT_SECONDS = 60;
const PATH = '/v1/command-batches';

interface SendOptions {
  readonly device: string[];
  readonly label: string[];
  readonly state: string[];
  readonly param: string[];
  readonly idempotencyKey?: string;
  readonly expiresIn?: number;
  readonly notBefore?: string;
  readonly preview?: boolean;
  readonly wait?: number | true;
}

const again = (value: string, before: string[]) => [...before, value];

export function batchCommand(): Command {
  const send = new Command('send')
    .description('one command to many vehicles: a list, or all that have the labels')
    .argument('<name>')
    .option('--device <id>', 'may be repeated', again, [])
    .option('--label <label>', 'vehicles in service with all of these; may be repeated', again, [])
    .option('--state <state>', 'with --label: in this state instead of active; may be repeated', again, [])
    .option('--param <k=v>', 'a parameter; may be repeated', again, [])
    .option('--preview', 'say what it would come to, and send nothing')
    .option('--not-before <time>', 'RFC 3339: handed out no earlier')
    .option('--expires-in <seconds>', 'how long each may still be released', seconds)
    .option('--idempotency-key <key>', 'the same key and content again is the same batch; default: a new one')
    .option('--wait [seconds]', `until every vehicle has its command or a refusal (default ${WAIT_SECONDS})`, seconds)
    .action((name: string, options: SendOptions, command: Command) =>
      inSession(command, (session) => sendBatch(session, name, options)),
    );
  const list = new Command('list')
    .description('batches, newest first')
    .option('--limit <n>', 'how many', Number, 20)
    .action(({ limit }: { limit: number }, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const answer = Batches.parse(await operator.call('command', 'GET', PATH, { query: { limit } }));
        const rows = answer.items.map(({ id, created_at, name, matched, state }) => [
          id,
          created_at,
          name,
          matched,
          state,
        ]);
        output.table(answer, ['ID', 'CREATED', 'COMMAND', 'VEHICLES', 'STATE'], rows);
      }),
    );
  const show = new Command('show')
    .description('one batch: how many vehicles are where')
    .argument('<id>')
    .action((id: string, _options: unknown, command: Command) =>
      inSession(command, async (session) => session.output.record(await get(session, id))),
    );
  const batch = new Command('batch').description('one command to many vehicles');
  for (const each of [send, list, show, devicesCommand()]) batch.addCommand(each);
  batch.addCommand(decision('approve', 'agree to a batch of somebody else; needs two factors, just shown'));
  batch.addCommand(decision('reject', 'refuse a batch that waits for approval'));
  batch.addCommand(decision('cancel', 'take back all that was not released'));
  return batch;
}

function devicesCommand(): Command {
  return new Command('devices')
    .description('what came of each vehicle')
    .argument('<id>')
    .action((id: string, _options: unknown, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const items: z.infer<typeof Devices>['items'] = [];
        let after: string | undefined;
        do {
          const page = await operator.call('command', 'GET', `${PATH}/${encodeURIComponent(id)}/devices`, {
            query: { limit: 1000, after },
          });
          const { items: more, next } = Devices.parse(page);
          items.push(...more);
          after = next ?? undefined;
        } while (after !== undefined);
        const rows = items.map(({ device_id, state, command_state, code, detail, command_id }) => [
          device_id,
          command_state ?? state,
          command_id,
          code,
          detail,
        ]);
        output.table({ items }, ['VEHICLE', 'STATE', 'COMMAND', 'CODE', 'DETAIL'], rows);
      }),
    );
}

function decision(verb: 'approve' | 'reject' | 'cancel', description: string): Command {
  return new Command(verb)
    .description(description)
    .argument('<id>')
    .option('--reason <text>', 'kept with the decision')
    .action((id: string, { reason }: { reason?: string }, command: Command) =>
      inSession(command, async ({ operator, output }) => {
        const body = reason === undefined ? {} : { reason };
        const path = `${PATH}/${encodeURIComponent(id)}/${verb}` as const;
        output.record(Batch.parse(await operator.call('command', 'POST', path, { body })));
      }),
    );
}

async function sendBatch(session: Session, name: string, options: SendOptions): Promise<void> {
  const { operator, output } = session;
  const { device, label, state, param, expiresIn, notBefore, preview, wait } = options;
  if (device.length > 0 === label.length > 0) throw new UsageError('name vehicles by --device, or by --label');
  const body = {
    name,
    target:
      device.length > 0
        ? { devices: device }
        : { query: { labels: label, ...(state.length > 0 ? { states: state } : {}) } },
    ...(param.length > 0 ? { parameters: parseParameters(param) } : {}),
    ...(expiresIn === undefined ? {} : { expires_in: expiresIn }),
    ...(notBefore === undefined ? {} : { not_before: notBefore }),
  };
  if (preview) {
    const answer = z.looseObject({}).parse(await operator.call('command', 'POST', `${PATH}/preview`, { body }));
    return output.record(answer);
  }
  const headers = { 'idempotency-key': options.idempotencyKey ?? randomUUID() };
  const sent = Batch.parse(await operator.call('command', 'POST', PATH, { headers, body }));
  if (wait === undefined) return output.record(sent);
  await waitFor(session, sent, wait === true ? WAIT_SECONDS : wait);
}

async function waitFor(session: Session, sent: Batch, waitSeconds: number): Promise<void> {
  const deadline = performance.now() + waitSeconds * 1000;
  let now = sent;
  while (['awaiting_approval', 'running', 'cancelling'].includes(now.state) && performance.now() < deadline) {
    await sleep(AGAIN_MS);
    now = await get(session, sent.id);
  }
  session.output.record(now.state === sent.state ? await get(session, sent.id) : now);
  if (now.state === 'awaiting_approval') throw new StillPending('it waits for the approval of somebody else');
  if (now.state === 'running') throw new StillPending(`still running after ${waitSeconds} s`);
  if (now.state !== 'done') throw new Error(`the batch is ${now.state}`);
}

async function get({ operator }: Session, id: string): Promise<Batch> {
  return Batch.parse(await operator.call('command', 'GET', `${PATH}/${encodeURIComponent(id)}`));
}
