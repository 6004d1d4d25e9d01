/**
 * `SERVICE=token pack.command.ts OUT [BASE]`, as the Dockerfile runs it: an image's RUN without a shell gives its arguments in the
 * environment. BASE is the list that `runtime-root.mjs` wrote; SOURCE_DATE_EPOCH gives every file its time (0 without).
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Failure, runCommand } from '../../local/failure.ts';
import { SERVICES } from '../../local/services.ts';
import { PROJECT } from '../../local/settings.ts';
import { pack } from './pack.ts';
import type { BasePackage } from './software-bill.ts';

await runCommand(async () => {
  const [out, baseFile] = process.argv.slice(2);
  const service = process.env.SERVICE ?? '';
  const names = SERVICES.map(({ name }) => name);
  if (!out || !names.includes(service))
    throw new Failure(`Usage: SERVICE=<${names.join('|')}> pack.command.ts OUT [BASE]; SERVICE is "${service}".`);
  const base = baseFile && existsSync(baseFile) ? (JSON.parse(readFileSync(baseFile, 'utf8')) as BasePackage[]) : [];
  const epochSeconds = Number(process.env.SOURCE_DATE_EPOCH || '0');
  const { packages } = pack({ project: PROJECT, service, out: resolve(out), base, epochSeconds });
  console.log(`${service}: ${packages.size} packages in ${out}`);
  return 0;
});
