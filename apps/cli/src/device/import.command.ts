/** `device import`: CSV or NDJSON as an import that is stored, or a short JSON list at once. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { Command } from 'commander';
import { z } from 'zod';
import { fromUser } from '../endpoints/endpoints.store.js';
import { Unreachable, UsageError } from '../exit-code.js';
import type { Body } from '../operator/operator-api.js';
import { Problem } from '../operator/problem.js';
import { inSession, type Session } from '../session.service.js';

const PAGE = 500;
const TIMEOUT_MS = 30 * 60_000;
const SHOWN = 100;
const TYPES: Readonly<Record<string, string>> = {
  csv: 'text/csv',
  ndjson: 'application/x-ndjson',
  jsonl: 'application/x-ndjson',
};

const Results = z.object({
  results: z.array(z.looseObject({ device_id: z.string(), status: z.number(), code: z.string().optional() })),
});
const Summary = z.looseObject({
  import_id: z.string(),
  state: z.string(),
  lines: z.number(),
  created: z.number(),
  existing: z.number(),
  conflicts: z.number(),
  invalid: z.number(),
  changed: z.number(),
});
const Lines = z.object({
  items: z.array(
    z.looseObject({
      line: z.number(),
      status: z.string(),
      device_id: z.string().optional(),
      code: z.string().optional(),
      detail: z.string().optional(),
    }),
  ),
  next: z.string().nullish(),
});

export function importCommand(): Command {
  return new Command('import')
    .description('register devices from a file: .csv, .ndjson (or .jsonl), or .json for a few')
    .argument('<file>', 'CSV with a header: device_id,manufacturer,serial_number[,vin,hardware,labels,grants]')
    .option('--id <id>', "names the import; the same id goes on where it stopped; default: the file content's hash")
    .addHelpText(
      'after',
      `
Sent again, a file goes on: lines that were handled are not done again, failed ones neither.
To try failed lines again, send them under another --id. Exits with 1 if a line failed.`,
    )
    .action((file: string, options: { id?: string }, command: Command) =>
      inSession(command, (session) => importFile(session, file, options.id)),
    );
}

async function importFile(session: Session, file: string, id: string | undefined): Promise<void> {
  const extension = /\.([a-z]+)$/i.exec(file)?.[1]?.toLowerCase() ?? '';
  if (extension === 'json') return importList(session, file);
  const type = TYPES[extension];
  if (!type) throw new UsageError(`${file}: named neither .csv nor .ndjson, .jsonl or .json`);
  const path = fromUser(file);
  const { size } = await stat(path);
  const importId = id ?? `file-${(await hashOf(path)).slice(0, 32)}`;
  await before(session, importId);
  const summary = Summary.parse(await send(session, path, size, importId, type));
  const failed = summary.conflicts + summary.invalid + summary.changed;
  const shown = failed > 0 ? await failedLines(session, importId) : [];
  if (session.output.json) session.output.record({ ...summary, failed: shown });
  else {
    session.output.record(summary);
    if (failed > 0) {
      session.output.write('');
      const rows = shown.map(({ line, status, device_id, code, detail }) => [line, status, device_id, code, detail]);
      session.output.table({}, ['LINE', 'STATUS', 'DEVICE', 'CODE', 'DETAIL'], rows);
    }
  }
  if (failed === 0) return;
  const rest = failed > shown.length ? `; all of them: GET /v1/device-imports/${importId}/lines?status=failed` : '';
  throw new Error(`${failed} of ${summary.lines} lines failed${rest}`);
}

/** Whoever may not do it learns so before the file is sent. */
async function before({ operator, output }: Session, importId: string): Promise<void> {
  try {
    const path = `/v1/device-imports/${encodeURIComponent(importId)}` as const;
    const { state, lines } = Summary.parse(await operator.call('provisioning', 'GET', path));
    if (!output.json) process.stderr.write(`${importId}: ${state}, ${lines} lines were taken before\n`);
  } catch (error) {
    if (!(error instanceof Problem && error.code === 'provisioning.import_not_found')) throw error;
  }
}

/** The file as a stream; how far it is goes to standard error, where somebody looks. */
async function send({ operator, output }: Session, path: string, size: number, importId: string, type: string) {
  let sent = 0;
  const file = createReadStream(path);
  const tell = !output.json && process.stderr.isTTY;
  const body = async function* () {
    for await (const chunk of file) {
      sent += (chunk as Buffer).length;
      if (tell) process.stderr.write(`\r${importId}: ${Math.floor((sent / Math.max(size, 1)) * 100)} % sent`);
      yield chunk as Buffer;
    }
  };
  try {
    return await operator.call('provisioning', 'PUT', `/v1/device-imports/${encodeURIComponent(importId)}`, {
      stream: { body: body(), type, bytes: size },
      timeoutMs: TIMEOUT_MS,
    });
  } catch (error) {
    if (error instanceof Problem) throw error;
    const { message } = error as Error;
    throw new Unreachable(`${message}\nwhat was taken stays; to go on, send it again with --id ${importId}`, {
      cause: error,
    });
  } finally {
    file.destroy();
    if (tell) process.stderr.write('\n');
  }
}

async function failedLines({ operator }: Session, importId: string) {
  const path = `/v1/device-imports/${encodeURIComponent(importId)}/lines` as const;
  return Lines.parse(await operator.call('provisioning', 'GET', path, { query: { status: 'failed', limit: SHOWN } }))
    .items;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Each device has its own result; one that was refused makes the whole exit with 1. */
async function importList({ operator, output }: Session, file: string): Promise<void> {
  const content = readDevices(file, await readFile(fromUser(file), 'utf8'));
  const results: z.infer<typeof Results>['results'] = [];
  for (let from = 0; from < content.length; from += PAGE) {
    // What somebody wrote into a file is for the service to judge.
    const body = { devices: content.slice(from, from + PAGE) } as Body<'POST', '/v1/devices'>;
    const answer = await operator.call('provisioning', 'POST', '/v1/devices', { body, timeoutMs: 60_000 });
    results.push(...Results.parse(answer).results);
  }
  const rows = results.map(({ device_id, status, code }) => [device_id, status, code]);
  output.table({ results }, ['DEVICE', 'STATUS', 'CODE'], rows);
  const refused = results.filter(({ status }) => status >= 400).length;
  if (refused > 0) throw new Error(`${refused} of ${results.length} devices were refused`);
}

function readDevices(file: string, text: string): readonly unknown[] {
  const Content = z.union([
    z.array(z.unknown()),
    z.object({ devices: z.array(z.unknown()) }).transform((o) => o.devices),
  ]);
  try {
    return Content.parse(JSON.parse(text));
  } catch (cause) {
    throw new UsageError(`${file}: neither a JSON list of devices nor {"devices": [...]}`, { cause });
  }
}
