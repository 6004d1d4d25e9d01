/** `policy list | show | test | put | dry-run`: what the fleet's policies are, what they decide, and what others would. */

import { compileBundle, PolicyBundle, runCase } from '@outrider/policy';
import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { UsageError } from '../exit-code.js';
import { OutputService } from '../output/output.service.js';
import { inSession, type Session } from '../session.service.js';
import { type PolicyFolder, readCases, readPolicies } from './policy-folder.store.js';

const InForce = z.object({
  version: z.number(),
  source: z.string(),
  changed_by: z.string(),
  changed_at: z.string(),
  reason: z.string(),
  schema: z.string(),
  policies: z.record(z.string(), z.string()),
});
const Trial = z.object({
  tried: z.number(),
  would_allow: z.number(),
  would_deny: z.number(),
  changes: z.array(
    z.object({
      at: z.string(),
      action: z.string(),
      principal: z.string(),
      resource: z.string(),
      was: z.object({ decision: z.string(), policies: z.array(z.string()) }),
      would_be: z.object({ decision: z.string(), policies: z.array(z.string()) }),
    }),
  ),
});

export function policyCommand(): Command {
  return new Command('policy')
    .description('what vehicles and operators may do, and when')
    .addCommand(
      new Command('list')
        .description('the policies in force')
        .action((_options: unknown, command: Command) => inSession(command, list)),
    )
    .addCommand(
      new Command('show')
        .description('the text of one')
        .argument('<id>')
        .action((id: string, _options: unknown, command: Command) => inSession(command, (s) => show(s, id))),
    )
    .addCommand(
      new Command('test')
        .description('decide the cases of tests/*.json by the policies of a folder; needs no suite')
        .argument('[folder]', 'with schema.cedarschema and one policy in each <id>.cedar', 'policies')
        .action((folder: string, _options: unknown, command: Command) => test(folder, command)),
    )
    .addCommand(
      new Command('put')
        .description('put the policies of a folder into force in place of all that are')
        .argument('<folder>')
        .requiredOption('--reason <text>', 'for those who ask later; at least 10 characters')
        .action((folder: string, { reason }: { reason: string }, command: Command) =>
          inSession(command, (s) => put(s, folder, reason)),
        ),
    )
    .addCommand(
      new Command('dry-run')
        .description('what the policies of a folder would have decided on what was decided')
        .argument('<folder>')
        .option('--since <time>', 'RFC 3339; default: a day ago', instant)
        .option('--limit <n>', 'the latest so many', whole, 1000)
        .action((folder: string, options: { since?: string; limit: number }, command: Command) =>
          inSession(command, (s) => dryRun(s, folder, options)),
        ),
    );
}

async function list({ operator, output }: Session): Promise<void> {
  const bundle = InForce.parse(await operator.call('gateway', 'GET', '/v1/policies'));
  const { version, source, changed_by, changed_at } = bundle;
  const rows = Object.entries(bundle.policies).map(([id, text]) => [id, effectOf(text)]);
  output.table(bundle, ['POLICY', 'EFFECT'], rows);
  if (!output.json) output.write(`version ${version}, ${source}, by ${changed_by} at ${changed_at}`);
}

function effectOf(text: string): string {
  return /^\s*(permit|forbid)\b/m.exec(text.replace(/^\s*\/\/.*$/gm, ''))?.[1] ?? '?';
}

async function show({ operator, output }: Session, id: string): Promise<void> {
  const { policies } = InForce.parse(await operator.call('gateway', 'GET', '/v1/policies'));
  const text = Object.hasOwn(policies, id) ? policies[id] : undefined;
  if (text === undefined) throw new UsageError(`no policy ${id}; there are ${Object.keys(policies).join(', ')}`);
  output.record({ id, text });
}

function test(folder: string, command: Command): void {
  const { schema, policies } = readPolicies(folder);
  if (schema === undefined) throw new UsageError(`${folder} holds no schema.cedarschema`);
  const bundle = compileBundle(PolicyBundle.parse({ version: 1, schema, policies }), 'candidate');
  const results = readCases(folder).map((one) => runCase(bundle, one));
  const rows = results.map(({ name, held, seen }) => [
    held ? 'ok' : 'FAILED',
    seen.decision,
    seen.policies.join(', '),
    name,
  ]);
  const failed = results.filter(({ held }) => !held).length;
  const output = new OutputService(command.optsWithGlobals<{ json?: boolean }>().json === true);
  output.table({ results, failed }, ['', 'DECISION', 'POLICIES', 'CASE'], rows);
  if (failed > 0) throw new Error(`${failed} of ${results.length} cases were decided otherwise`);
}

async function put({ operator, output }: Session, folder: string, reason: string): Promise<void> {
  const { version } = InForce.parse(await operator.call('gateway', 'GET', '/v1/policies'));
  const body = { ...contentOf(readPolicies(folder)), reason };
  const headers = { 'if-match': `"${version}"` };
  const bundle = InForce.parse(await operator.call('gateway', 'PUT', '/v1/policies', { body, headers }));
  output.record({ version: bundle.version, policies: Object.keys(bundle.policies) });
}

async function dryRun(session: Session, folder: string, { since, limit }: { since?: string; limit: number }) {
  const body = { ...contentOf(readPolicies(folder)), limit, ...(since ? { since } : {}) };
  const trial = Trial.parse(await session.operator.call('gateway', 'POST', '/v1/policies/dry-run', { body }));
  const rows = trial.changes.map((c) => [
    c.at,
    c.action,
    c.resource,
    c.was.decision,
    c.would_be.decision,
    c.would_be.policies.join(', '),
  ]);
  session.output.table(trial, ['AT', 'ACTION', 'RESOURCE', 'WAS', 'WOULD BE', 'BY'], rows);
  if (!session.output.json)
    session.output.write(`${trial.tried} tried: ${trial.would_allow} more allowed, ${trial.would_deny} more denied`);
}

function contentOf({ schema, policies }: PolicyFolder) {
  return { policies, ...(schema === undefined ? {} : { schema }) };
}

function whole(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a whole number');
}

function instant(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new InvalidArgumentError('a time as in 2026-11-22T12:00:00Z');
  return time.toISOString();
}
