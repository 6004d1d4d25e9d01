/** `npm run format [-- PATH...]`: formats, and fixes what can be fixed safely. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { PROJECT } from '../local/settings.ts';

const paths = process.argv.slice(2);
const biome = join(PROJECT, 'node_modules', '.bin', 'biome');
const { status } = spawnSync(biome, ['check', '--write', ...paths], {
  stdio: 'inherit',
  cwd: paths.length > 0 ? process.cwd() : PROJECT,
});
process.exitCode = status ?? 1;
