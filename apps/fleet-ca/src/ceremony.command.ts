/**
 * Run by whoever owns the CA folder; the first three before the services, the others while they run (docs/runbooks):
 *   ceremony.command.js [create] --out DIR --trust-domain NAME --passphrase-file FILE
 *   ceremony.command.js create-authority ... --name vehicle-ca-NAME
 *   ceremony.command.js issue-server ... --to DIR [--service NAME]... [--dns NAME]... [--ip ADDRESS]...
 *   ceremony.command.js rollover ... --authority NAME
 *   ceremony.command.js activate ... --authority NAME --generation N [--min-wait SECONDS]
 *   ceremony.command.js retire ... --authority NAME --generation N [--longest-lifetime SECONDS] [--force] [--distrust]
 * With --pkcs11-module FILE --token-label LABEL --pin-file FILE, keys are made and used in a token: those of the issuing CAs, and
 * with --root-in-token the root's too (docs/runbooks/hsm.md).
 * Each may be run again. Prints one JSON line of what it made. Exit codes: 0 done, 2 bad usage, 1 anything else.
 */
import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { SERVICES, TrustDomain } from '@outrider/ids';
import { z } from 'zod';
import { AuthorityName } from './authorities/manifest.js';
import { readPassphrase } from './ceremony/ca-files.store.js';
import { createAuthorities, createVehicleAuthority } from './ceremony/create-authorities.command.js';
import { issueServers } from './ceremony/issue-server.command.js';
import { activateGeneration, retireGeneration, rollOver } from './ceremony/roll-over.command.js';
import { OCSP_SIGNER, ServerName } from './ceremony/service-certificate.js';
import { Pkcs11Token } from './keys/pkcs11-token.provider.js';

/** Until every service has looked at its trust files many times over. */
const MIN_WAIT_SECONDS = 60;
const Common = {
  out: z.string().min(1),
  'trust-domain': TrustDomain,
  'passphrase-file': z.string().min(1),
  'pkcs11-module': z.string().min(1).optional(),
  'token-label': z.string().min(1).optional(),
  'pin-file': z.string().min(1).optional(),
};
const Whole = z
  .string()
  .regex(/^\d{1,9}$/, 'a whole number')
  .transform(Number);
const OfAuthority = { ...Common, authority: AuthorityName };

const VERBS = {
  create: z.strictObject({ ...Common, 'root-in-token': z.boolean().default(false) }),
  // The name says what it is: whoever sees it in a certificate knows which listeners it is for.
  'create-authority': z.strictObject({ ...Common, name: z.string().regex(/^vehicle-ca-[a-z0-9][a-z0-9-]{0,40}$/) }),
  'issue-server': z.strictObject({
    ...Common,
    to: z.string().min(1),
    service: z.array(ServerName).default([...SERVICES, OCSP_SIGNER]),
    dns: z.array(z.hostname()).default([]),
    ip: z.array(z.string().refine((address) => isIP(address) !== 0, 'no IP address')).default([]),
  }),
  rollover: z.strictObject(OfAuthority),
  activate: z.strictObject({ ...OfAuthority, generation: Whole, 'min-wait': Whole.default(MIN_WAIT_SECONDS) }),
  retire: z.strictObject({
    ...OfAuthority,
    generation: Whole,
    'longest-lifetime': Whole.optional(),
    force: z.boolean().default(false),
    distrust: z.boolean().default(false),
  }),
} as const;
type Verb = keyof typeof VERBS;
type Given = { [V in Verb]: { readonly verb: V; readonly values: z.infer<(typeof VERBS)[V]> } }[Verb];

const USAGE = `usage: ceremony.command.js [${Object.keys(VERBS).join(' | ')}] --out DIR --trust-domain NAME --passphrase-file FILE ...`;

function readArguments(): Given {
  const text = { type: 'string' } as const;
  const list = { type: 'string', multiple: true } as const;
  const flag = { type: 'boolean' } as const;
  const options = {
    out: text,
    'trust-domain': text,
    'passphrase-file': text,
    to: text,
    service: list,
    dns: list,
    ip: list,
    name: text,
    'pkcs11-module': text,
    'token-label': text,
    'pin-file': text,
    'root-in-token': flag,
    authority: text,
    generation: text,
    'min-wait': text,
    'longest-lifetime': text,
    force: flag,
    distrust: flag,
  };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [verb = 'create', ...rest] = positionals;
  if (rest.length > 0 || !Object.hasOwn(VERBS, verb)) throw new Error(`unknown: ${positionals.join(' ')}`);
  return { verb, values: VERBS[verb as Verb].parse({ ...values }) } as Given;
}

async function run({ verb, values }: Given): Promise<object> {
  const ceremony = {
    out: values.out,
    trustDomain: values['trust-domain'],
    passphrase: readPassphrase(values['passphrase-file']),
    token: tokenOf(values),
    now: new Date(),
  };
  switch (verb) {
    case 'create':
      return { made: await createAuthorities({ ...ceremony, rootInToken: values['root-in-token'] }) };
    case 'create-authority':
      return { made: await createVehicleAuthority(values.name, ceremony) };
    case 'issue-server': {
      const { to, service: services, dns, ip: ips } = values;
      return { made: await issueServers({ ...ceremony, to, services, hosts: { dns, ips } }) };
    }
    case 'rollover':
      return rollOver({ ...ceremony, authority: values.authority });
    case 'activate': {
      const { authority, generation, 'min-wait': minWaitSeconds } = values;
      return activateGeneration({ ...ceremony, authority, generation, minWaitSeconds });
    }
    case 'retire': {
      const { authority, generation, 'longest-lifetime': relianceSeconds, force, distrust } = values;
      return retireGeneration({ ...ceremony, authority, generation, relianceSeconds, force, distrust });
    }
  }
}

function tokenOf(values: Given['values']): Pkcs11Token | undefined {
  const { 'pkcs11-module': module, 'token-label': tokenLabel, 'pin-file': pinFile } = values;
  if (module === undefined && tokenLabel === undefined && pinFile === undefined) return undefined;
  if (module === undefined || tokenLabel === undefined || pinFile === undefined) {
    throw new Error('--pkcs11-module, --token-label and --pin-file belong together');
  }
  return new Pkcs11Token({ module, tokenLabel, pinFile });
}

function argumentsOrExit(): Given {
  try {
    return readArguments();
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    process.stderr.write(`${reason}\n${USAGE}\n`);
    process.exit(2);
  }
}

try {
  process.stdout.write(`${JSON.stringify(await run(argumentsOrExit()))}\n`);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
