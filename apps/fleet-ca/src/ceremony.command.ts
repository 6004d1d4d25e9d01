/**
 * Run before the services, by whoever owns the CA folder:
 *   ceremony.command.js [create] --out DIR --trust-domain NAME --passphrase-file FILE
 *   ceremony.command.js issue-server --out DIR --trust-domain NAME --passphrase-file FILE --to DIR [--service NAME]... [--dns NAME]... [--ip ADDRESS]...
 * Prints one JSON line of what it made. Exit codes: 0 done, 2 bad usage, 1 anything else.
 */
import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { SERVICES, Service, TrustDomain } from '@outrider/ids';
import { z } from 'zod';
import { readPassphrase } from './ceremony/ca-files.store.js';
import { createAuthorities } from './ceremony/create-authorities.command.js';
import { issueServers } from './ceremony/issue-server.command.js';

const Arguments = z.object({
  out: z.string().min(1),
  'trust-domain': TrustDomain,
  'passphrase-file': z.string().min(1),
  to: z.string().min(1).optional(),
  service: z.array(Service).default([...SERVICES]),
  dns: z.array(z.hostname()).default([]),
  ip: z.array(z.string().refine((address) => isIP(address) !== 0, 'no IP address')).default([]),
});

const USAGE =
  'usage: ceremony.command.js [create | issue-server --to DIR] --out DIR --trust-domain NAME --passphrase-file FILE';

function readArguments() {
  const text = { type: 'string' } as const;
  const list = { type: 'string', multiple: true } as const;
  const options = {
    out: text,
    'trust-domain': text,
    'passphrase-file': text,
    to: text,
    service: list,
    dns: list,
    ip: list,
  };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [verb = 'create', ...rest] = positionals;
  if (rest.length > 0 || (verb !== 'create' && verb !== 'issue-server'))
    throw new Error(`unknown: ${positionals.join(' ')}`);
  if ((verb === 'issue-server') !== (values.to !== undefined)) throw new Error('--to belongs to issue-server');
  return { verb, ...Arguments.parse(values) };
}

async function run(given: ReturnType<typeof readArguments>): Promise<void> {
  const ceremony = {
    out: given.out,
    trustDomain: given['trust-domain'],
    passphrase: readPassphrase(given['passphrase-file']),
    now: new Date(),
  };
  const made =
    given.to === undefined
      ? await createAuthorities(ceremony)
      : await issueServers({
          ...ceremony,
          to: given.to,
          services: given.service,
          hosts: { dns: given.dns, ips: given.ip },
        });
  process.stdout.write(`${JSON.stringify({ made })}\n`);
}

function argumentsOrExit(): ReturnType<typeof readArguments> {
  try {
    return readArguments();
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    process.stderr.write(`${reason}\n${USAGE}\n`);
    process.exit(2);
  }
}

try {
  await run(argumentsOrExit());
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
