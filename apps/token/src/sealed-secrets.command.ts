/**
 * Says how much in the database an older line of `signingKeys.encryptionKeyFile` still seals: `sealed-secrets.command.js --config FILE
 * [--seal-anew]`. With --seal-anew all of it is sealed by the first line before it is counted. An older line may go when both counts are 0.
 */
import { parseArgs } from 'node:util';
import { Database, runtimeDataSource } from '@outrider/platform/postgres';
import { ConfigError, loadConfig } from '@outrider/platform/service';
import { TokenConfig } from './config.js';
import { Factors } from './person/factors.repository.js';
import { Sealer } from './sealing/sealer.service.js';
import { SigningKeyRepository } from './signing-key/signing-key.repository.js';

const USAGE = 'usage: sealed-secrets.command.js --config FILE [--seal-anew]';

/** Exit codes: 0 counted, 2 bad usage or configuration, 1 anything else: also what no line opens. */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: 'string' }, 'seal-anew': { type: 'boolean' } } });
  if (!values.config) throw new ConfigError(USAGE);
  const config = loadConfig(values.config, TokenConfig, 'token');
  const dataSource = runtimeDataSource(config, []);
  await dataSource.initialize();
  try {
    const database = new Database(dataSource);
    const sealer = new Sealer(config);
    const [factors, signingKeys] = [new Factors(sealer), new SigningKeyRepository(database, sealer)];
    if (values['seal-anew']) {
      await signingKeys.sealAllAnew();
      await database.transaction((tx) => factors.sealAllAnew(tx));
    }
    const underOlderKeys = {
      signingKeys: await signingKeys.underOlderKeys(),
      totpSecrets: await database.transaction((tx) => factors.underOlderKeys(tx)),
    };
    process.stdout.write(`${JSON.stringify({ underOlderKeys })}\n`);
  } finally {
    await dataSource.destroy();
  }
}

try {
  await main();
} catch (error) {
  const usage = error instanceof ConfigError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`${usage ? (error as Error).message : (error as Error).stack}\n`);
  process.exit(usage ? 2 : 1);
}
