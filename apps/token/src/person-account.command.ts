/**
 * Makes an operator's account for a person, or changes it: `person-account.command.js --config FILE --username NAME --identity WHO
 * --roles ROLE,.. [--password-file FILE] [--totp-secret-file FILE] [--oidc-subject SUBJECT]`. Secrets come as files: arguments are
 * seen by everyone on the machine.
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { Database, runtimeDataSource } from '@outrider/platform/postgres';
import { ConfigError, loadConfig, readSecret } from '@outrider/platform/service';
import { TokenConfig } from './config.js';
import { isRole, ROLES } from './operator-token/roles.js';
import { Factors } from './person/factors.repository.js';
import { hashPassword, SALT_BYTES } from './person/password-hash.js';
import { isPasswordText, MAX_PASSWORD_CHARACTERS, MIN_PASSWORD_CHARACTERS } from './person/password-text.js';
import { Persons } from './person/persons.repository.js';
import { parseTotpSecret } from './person/totp.js';
import { Sealer } from './sealing/sealer.service.js';

const USAGE = `usage: person-account.command.js --config FILE --username NAME --identity WHO --roles ${ROLES.join('|')}[,...]
  [--password-file FILE] [--totp-secret-file FILE] [--oidc-subject SUBJECT]`;

/** Exit codes: 0 done, 2 bad usage, configuration or secret, 1 anything else. */
async function main(): Promise<void> {
  const { config, username, identity, roles, password, totpSecret, subject } = readArguments();
  const hash = password === undefined ? undefined : await hashPassword(password, randomBytes(SALT_BYTES));
  const dataSource = runtimeDataSource(config, []);
  await dataSource.initialize();
  try {
    const database = new Database(dataSource);
    const persons = new Persons(database);
    const factors = new Factors(new Sealer(config));
    const id = await database.transaction(async (tx) => {
      const made = await persons.upsert(tx, { username, identity, roles });
      if (!made) throw new ConfigError(`--username: ${username} is a service account`);
      if (hash !== undefined) await persons.setPassword(tx, made.id, hash);
      if (totpSecret) await factors.provideTotp(tx, made.id, totpSecret);
      if (subject !== undefined) await persons.link(tx, made.id, config.people.oidc!.issuer, subject);
      return made.id;
    });
    process.stdout.write(`${JSON.stringify({ username, sub: `op:${id}`, identity, roles })}\n`);
  } finally {
    await dataSource.destroy();
  }
}

function readArguments() {
  const text = { type: 'string' } as const;
  const options = {
    config: text,
    username: text,
    identity: text,
    roles: text,
    'password-file': text,
    'totp-secret-file': text,
    'oidc-subject': text,
  };
  const { values } = parseArgs({ options });
  const { config: file, username, identity, roles, 'oidc-subject': subject } = values;
  if (!file || !username || !identity || !roles) throw new ConfigError(USAGE);
  if (!/^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/.test(username))
    throw new ConfigError('--username: letters, digits, . _ @ -');
  if (!/^[a-z0-9][a-z0-9._@+-]{0,127}$/.test(identity))
    throw new ConfigError('--identity: who stands behind the account: small letters, digits, . _ @ + -');
  const config = loadConfig(file, TokenConfig, 'token');
  if (subject !== undefined && !config.people.oidc)
    throw new ConfigError('--oidc-subject: no identity provider is configured');
  return {
    config,
    username,
    identity,
    roles: [...new Set(roles.split(','))].map(role),
    password: values['password-file'] && password(values['password-file']),
    totpSecret: values['totp-secret-file'] && totpSecret(values['totp-secret-file']),
    subject,
  };
}

function role(name: string): string {
  if (!isRole(name)) throw new ConfigError(`--roles: ${name} is none of ${ROLES.join(', ')}`);
  return name;
}

function password(file: string): string {
  const text = readSecret(file);
  if (!isPasswordText(text))
    throw new ConfigError(
      `${file}: a password has ${MIN_PASSWORD_CHARACTERS} to ${MAX_PASSWORD_CHARACTERS} characters`,
    );
  return text;
}

function totpSecret(file: string): Buffer {
  try {
    return parseTotpSecret(readSecret(file));
  } catch (cause) {
    throw new ConfigError(`${file}: a TOTP secret is 16 to 64 bytes in base32`, { cause });
  }
}

try {
  await main();
} catch (error) {
  const usage = error instanceof ConfigError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`${usage ? (error as Error).message : (error as Error).stack}\n`);
  process.exit(usage ? 2 : 1);
}
