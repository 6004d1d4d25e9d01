/** `login --as NAME`: a person signs in by password and code; `--as NAME` then acts with the token that this leaves in a file. */
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { z } from 'zod';
import type { Endpoints } from '../endpoints/endpoints.store.js';
import { UsageError } from '../exit-code.js';
import type { OperatorClient } from '../operator/operator.client.js';
import { Problem } from '../operator/problem.js';
import { inSession } from '../session.service.js';
import { codeAt, untilNextStepMs } from './code.js';
import { hidden } from './hidden.client.js';

const Answer = z.object({
  sign_in_id: z.string().optional(),
  next: z.array(z.string()).default([]),
  access_token: z.string().optional(),
  expires_in: z.number(),
});
type Answer = z.infer<typeof Answer>;

interface LoginOptions {
  readonly scope?: string;
}

export function loginCommand(): Command {
  return new Command('login')
    .description(
      'sign in as a person (--as); the local people of endpoints.json sign in by their files, others are asked',
    )
    .option('--scope <scopes>', 'what the token is to carry; default: all that the roles do')
    .action(({ scope }: LoginOptions, command: Command) =>
      inSession(command, async ({ operator, endpoints, output }) => {
        const { as: username } = command.optsWithGlobals<{ as?: string }>();
        if (!username) throw new UsageError('login --as NAME: who signs in?');
        const known = endpoints.people[username];
        const answer = known
          ? await byFiles(operator, username, known, scope)
          : await byAsking(operator, username, scope);
        const file = known?.tokenFile ?? endpoints.tokenFileOf(username);
        await writeToken(file, answer.access_token!);
        output.write(
          output.json
            ? JSON.stringify({ username, expires_in: answer.expires_in, next: answer.next })
            : `${username} is signed in for ${Math.floor(answer.expires_in / 60)} minutes${
                answer.next.includes('enrol') ? ', to enrol a second factor and nothing else' : ''
              }`,
        );
      }),
    );
}

/** A code is good once: where this step's was used, the next one's is good already, and after that only waiting helps. */
async function byFiles(
  operator: OperatorClient,
  username: string,
  files: Endpoints['people'][string],
  scope: string | undefined,
): Promise<Answer> {
  const password = (await readFile(files.passwordFile, 'utf8')).trim();
  const secret = (await readFile(files.totpSecretFile, 'utf8')).trim();
  const begun = await begin(operator, username, password, scope);
  if (begun.access_token) return begun;
  for (const offset of [0, 1]) {
    const answer = await secondFactor(operator, begun, codeAt(secret, Date.now(), offset)).catch(refusal);
    if (answer) return answer;
  }
  await sleep(untilNextStepMs(Date.now()) + 500);
  return secondFactor(operator, begun, codeAt(secret, Date.now(), 1));
}

async function byAsking(operator: OperatorClient, username: string, scope: string | undefined): Promise<Answer> {
  if (!process.stdin.isTTY) throw new UsageError(`login --as ${username}: not in endpoints.json, and nobody to ask`);
  const begun = await begin(operator, username, await hidden('Password: '), scope);
  if (begun.access_token) return begun;
  if (!begun.next.includes('totp') && !begun.next.includes('recovery_code'))
    throw new UsageError(`${username} signs in by a security key, which takes a browser`);
  const code = await hidden('Code, or recovery code: ');
  return secondFactor(operator, begun, code.trim(), /^\s*\d{6}\s*$/.test(code) ? 'totp' : 'recovery');
}

async function begin(
  operator: OperatorClient,
  username: string,
  password: string,
  scope: string | undefined,
): Promise<Answer> {
  const body = { username, password, ...(scope ? { scope } : {}) };
  return Answer.parse(await operator.call('token', 'POST', '/v1/sign-in', { body, anonymous: true }));
}

async function secondFactor(
  operator: OperatorClient,
  { sign_in_id }: Answer,
  code: string,
  kind: 'totp' | 'recovery' = 'totp',
) {
  const path = `/v1/sign-in/${sign_in_id ?? ''}/${kind}` as const;
  return Answer.parse(await operator.call('token', 'POST', path, { body: { code }, anonymous: true }));
}

function refusal(error: unknown): undefined {
  if (error instanceof Problem && error.code === 'sign_in.refused') return undefined;
  throw error;
}

/** Whole or not at all, and its owner's alone. */
async function writeToken(file: string, token: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const neighbour = `${file}.${process.pid}.new`;
  await writeFile(neighbour, `${token}\n`, { mode: 0o600 });
  await chmod(neighbour, 0o600);
  await rename(neighbour, file);
}
