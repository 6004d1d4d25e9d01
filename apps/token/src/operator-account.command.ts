/** Makes an operator's service account, or changes its roles and key: `operator-account.command.js --config FILE --client-id ID --identity WHO --roles admin --public-key PEM`. */
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Database, runtimeDataSource } from '@outrider/platform/postgres';
import { ConfigError, loadConfig } from '@outrider/platform/service';
import { TokenConfig } from './config.js';
import { OperatorAccountRepository, type ServiceAccount } from './operator-client/operator-account.repository.js';
import { isRole, ROLES, type Role } from './operator-token/roles.js';
import { publicJwk } from './signing-key/signing-key.js';

const USAGE = `usage: operator-account.command.js --config FILE --client-id ID --identity WHO --roles ${ROLES.join('|')}[,...] --public-key PEM`;

interface Asked {
  readonly config: TokenConfig;
  readonly account: ServiceAccount;
}

/** Exit codes: 0 done, 2 bad usage, configuration or key, 1 anything else. */
async function main(): Promise<void> {
  const { config, account } = readArguments();
  const { clientId, identity, roles } = account;
  const dataSource = runtimeDataSource(config, []);
  await dataSource.initialize();
  try {
    const accounts = new OperatorAccountRepository(new Database(dataSource));
    const made = await accounts.upsert(account);
    if (!made) throw new ConfigError(`--client-id: ${clientId} is a person`);
    process.stdout.write(`${JSON.stringify({ clientId, sub: `op:${made.id}`, identity, roles })}\n`);
  } finally {
    await dataSource.destroy();
  }
}

function readArguments(): Asked {
  const text = { type: 'string' } as const;
  const options = { config: text, 'client-id': text, identity: text, roles: text, 'public-key': text };
  const { config, 'client-id': clientId, identity, roles, 'public-key': publicKeyFile } = parseArgs({ options }).values;
  if (!config || !clientId || !identity || !roles || !publicKeyFile) throw new ConfigError(USAGE);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(clientId))
    throw new ConfigError('--client-id: letters, digits, . _ -');
  if (!/^[a-z0-9][a-z0-9._@+-]{0,127}$/.test(identity))
    throw new ConfigError('--identity: who stands behind the account: small letters, digits, . _ @ + -');
  return {
    config: loadConfig(config, TokenConfig, 'token'),
    account: {
      clientId,
      identity,
      roles: [...new Set(roles.split(',').map(parseRole))],
      publicKeyPem: readPublicKey(publicKeyFile),
    },
  };
}

function parseRole(name: string): Role {
  if (!isRole(name)) throw new ConfigError(`--roles: ${name} is none of ${ROLES.join(', ')}`);
  return name;
}

/** P-256 alone: assertions are ES256. A private key is refused: it has no business here. */
function readPublicKey(file: string): string {
  const pem = readFileSync(file, 'utf8');
  if (!pem.includes('-----BEGIN PUBLIC KEY-----')) throw new ConfigError(`${file}: not a public key in PEM`);
  try {
    const key = createPublicKey(pem);
    publicJwk(key);
    return key.export({ type: 'spki', format: 'pem' }) as string;
  } catch (cause) {
    throw new ConfigError(`${file}: not a P-256 public key`, { cause });
  }
}

try {
  await main();
} catch (error) {
  const usage = error instanceof ConfigError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`${usage ? (error as Error).message : (error as Error).stack}\n`);
  process.exit(usage ? 2 : 1);
}
