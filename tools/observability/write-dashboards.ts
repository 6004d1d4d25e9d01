/**
 * `node tools/observability/write-dashboards.ts [--check]`: the dashboards as Grafana reads them, in deploy/observability/grafana/dashboards.
 * With `--check` nothing is written; exit code 1 where a file is another, or there is one too many.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../local/settings.ts';
import { DASHBOARDS } from './dashboards.ts';
import { modelOf } from './panels.ts';

const FOLDER = join(PROJECT, 'deploy', 'observability', 'grafana', 'dashboards');
const check = process.argv.includes('--check');
const wanted = new Map(DASHBOARDS.map((one) => [`${one.name}.json`, `${JSON.stringify(modelOf(one), null, 2)}\n`]));

const others = readdirSync(FOLDER).filter((name) => name.endsWith('.json') && !wanted.has(name));
const stale = [...wanted].filter(([name, text]) => {
  try {
    return readFileSync(join(FOLDER, name), 'utf8') !== text;
  } catch {
    return true;
  }
});
if (!check) for (const [name, text] of stale) writeFileSync(join(FOLDER, name), text);
for (const name of others) console.log(`${name}: no such dashboard`);
for (const [name] of stale) console.log(check ? `${name}: not as it is written in TypeScript` : `wrote ${name}`);
if (others.length > 0 || (check && stale.length > 0)) process.exitCode = 1;
