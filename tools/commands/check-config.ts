/**
 * `npm run -s check-config [-- SERVICE...]`: the configuration of every service of this suite, or of those, held to this version: its form and
 * every file it names. `--config FILE --service SERVICE`: a file of elsewhere; with `--form-only` none of the files it names. Exit code 0 good, 2 a service would not start.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Failure, runCommand } from '../local/failure.ts';
import { built, productEnv } from '../local/product.ts';
import { SERVICES } from '../local/services.ts';
import { places, readSettings } from '../local/settings.ts';

const USAGE =
  'Usage: npm run -s check-config [-- SERVICE...], or npm run -s check-config -- --config FILE --service SERVICE [--form-only]';

await runCommand(async () => {
  const checks = readArguments().map(({ service, args }) => ({ service, code: check(service, args) }));
  for (const { service, code } of checks) console.log(`${service}: ${code === 0 ? 'good' : 'it would not start'}`);
  return Math.max(...checks.map(({ code }) => code));
});

function readArguments(): { service: string; args: string[] }[] {
  const { values, positionals } = parsed();
  const { config, service } = values;
  const form = values['form-only'] ? ['--form-only'] : [];
  const named = service === undefined ? positionals : [service];
  const unknown = named.find((one) => !SERVICES.some(({ name }) => name === one));
  if (unknown !== undefined)
    throw new Failure(`There is no service "${unknown}": ${SERVICES.map(({ name }) => name).join(', ')}.`);
  if ((config === undefined) !== (service === undefined) || (service !== undefined && positionals.length > 0))
    throw new Failure(USAGE);
  if (config !== undefined && service !== undefined) return [{ service, args: [resolve(config), ...form] }];
  const folder = places(readSettings()).config;
  if (!existsSync(folder)) throw new Failure(`${folder} is not there yet: npm start makes it. ${USAGE}`);
  const names = named.length > 0 ? named : SERVICES.map(({ name }) => name);
  return names.map((name) => ({ service: name, args: [join(folder, `${name}.json`), ...form] }));
}

function parsed() {
  try {
    return parseArgs({
      options: { config: { type: 'string' }, service: { type: 'string' }, 'form-only': { type: 'boolean' } },
      allowPositionals: true,
    });
  } catch (cause) {
    throw new Failure(`${(cause as Error).message}\n${USAGE}`);
  }
}

/** Says what the service says of it; its exit code. Relative paths in the file count from where the user stands. */
function check(service: string, args: readonly string[]): number {
  const main = built(`apps/${service}/dist/main.js`);
  const { status } = spawnSync(process.execPath, [main, '--check-config', '--config', ...args], {
    stdio: 'inherit',
    env: productEnv(),
  });
  return status ?? 1;
}
