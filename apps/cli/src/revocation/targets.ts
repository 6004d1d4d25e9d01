/** What `revoke` and `release` may name, as options and as the service reads it. */
import type { Command } from 'commander';
import { UsageError } from '../exit-code.js';

export interface TargetOptions {
  readonly serial?: string;
  readonly thumbprint?: string;
  readonly device?: string;
  readonly key?: string;
  readonly issuer?: string;
  readonly label?: string;
  readonly manufacturer?: string;
  readonly batch?: string;
  readonly file?: string;
  readonly note?: string;
  readonly dryRun?: boolean;
  readonly wait?: number | true;
}

export function withTargets(command: Command): Command {
  return command
    .option('--serial <hex>', 'of the certificate')
    .option('--thumbprint <text>', 'of the certificate, base64url SHA-256')
    .option('--device <id>', 'all of its certificates')
    .option('--key <text>', 'every certificate with this public key, base64url SHA-256 of its SPKI')
    .option('--issuer <hex>', 'every certificate of this issuing CA, by its key identifier; needs --elevation')
    .option('--label <label>', 'every certificate that was enrolled at this EST label; needs --elevation')
    .option('--manufacturer <name>', 'every device of it; needs --elevation')
    .option('--batch <prefix>', 'of --manufacturer: factory serial numbers that begin so')
    .option('--file <path>', '.csv (a column serial, thumbprint or device_id) or .ndjson, up to 100,000 lines')
    .option('--note <text>', 'kept with it')
    .option('--dry-run', 'say what it would touch, and touch nothing');
}

/** What many are named by, or nothing. */
export function wideTarget({ issuer, label, manufacturer, batch }: TargetOptions) {
  return { issuer, label, manufacturer, batch };
}

export function names({ serial, thumbprint, device, key }: TargetOptions) {
  return { serial, thumbprint, device_id: device, key };
}

/** @throws UsageError for nothing, and for a file beside a name */
export function requireTarget(options: TargetOptions): void {
  const named = Object.values({ ...names(options), ...wideTarget(options) }).some((value) => value !== undefined);
  if (!named && options.file === undefined)
    throw new UsageError('name what is meant: --serial, --thumbprint, --device, --key, --file or a wide target');
  if (named && options.file !== undefined) throw new UsageError('--file stands alone');
}

export function isWide(options: TargetOptions): boolean {
  return Object.values(wideTarget(options)).some((value) => value !== undefined);
}
