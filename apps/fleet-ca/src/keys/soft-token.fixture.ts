/** A SoftHSM token of a test's own, its configuration and objects in a folder of the test. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const MODULES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib64/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
];
export const PIN = '87654321';

export interface SoftToken {
  readonly module: string;
  readonly tokenLabel: string;
  readonly pinFile: string;
  /** For the processes that use it: SoftHSM reads its configuration from the environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What is missing for tests with a token; undefined when nothing is. */
export function missingForTokens(): string | undefined {
  if (!MODULES.some((module) => existsSync(module))) return 'SoftHSM is not installed';
  try {
    execFileSync('softhsm2-util', ['--version'], { stdio: 'ignore' });
  } catch {
    return 'softhsm2-util is not on the PATH';
  }
  try {
    createRequire(import.meta.url)('pkcs11js');
    return undefined;
  } catch {
    return 'pkcs11js is not built (docs/runbooks/hsm.md)';
  }
}

export function makeSoftToken(folder: string, tokenLabel = 'fleet'): SoftToken {
  const tokens = join(folder, 'tokens');
  mkdirSync(tokens, { recursive: true });
  const conf = join(folder, 'softhsm2.conf');
  writeFileSync(conf, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  const env = { ...process.env, SOFTHSM2_CONF: conf };
  const pinFile = join(folder, 'pin');
  writeFileSync(pinFile, `${PIN}\n`, { mode: 0o600 });
  const init = ['--init-token', '--free', '--label', tokenLabel, '--so-pin', '12345678', '--pin', PIN];
  execFileSync('softhsm2-util', init, { env, stdio: 'ignore' });
  return { module: MODULES.find((module) => existsSync(module)) as string, tokenLabel, pinFile, env };
}
