/** `npm run reset [-- --yes]`: stops the suite and deletes its state, after asking. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { Failure, runCommand } from '../local/failure.ts';
import { outsideFolder, places, readSettings, type Settings, shown } from '../local/settings.ts';
import { runningState } from '../local/state.ts';
import { stopRunning } from '../local/stop.ts';

await runCommand(async () => {
  const { values } = parseArgs({ options: { yes: { type: 'boolean', short: 'y' } } });
  const settings = readSettings();
  const folders = [settings.home, ...dataOutside(settings)].filter((folder) => existsSync(folder));
  if (folders.length === 0) {
    console.log('There is nothing to delete.');
    return 0;
  }
  requireOurs(settings);
  const names = folders.map((folder) => shown(settings, folder)).join(' and ');
  if (
    !values.yes &&
    !(await confirmed(
      `Delete ${names}: the fleet, its keys and all its data${runningState(settings) ? ', and stop it first' : ''}? [y/N] `,
    ))
  ) {
    console.log('Nothing was deleted.');
    return 1;
  }
  await stopRunning(settings);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  dropBinaries(settings);
  console.log(`Deleted ${names}.`);
  return 0;
});

/** As root, the data lies outside of the home; more than one where a home was deleted by hand. */
function dataOutside(settings: Settings): string[] {
  const outside = outsideFolder(settings);
  if (!outside || !existsSync(outside.folder)) return [];
  const names = readdirSync(outside.folder).filter((name) => name.startsWith(outside.dataPrefix));
  return names.map((name) => join(outside.folder, name));
}

/** With the last data, PostgreSQL's binaries go too. */
function dropBinaries(settings: Settings): void {
  const folder = outsideFolder(settings)?.folder;
  if (!folder || !existsSync(folder) || readdirSync(folder).some((name) => name.startsWith('data-'))) return;
  rmSync(folder, { recursive: true, force: true });
}

/** OUTRIDER_HOME may name anything; only what npm start made is deleted. */
function requireOurs(settings: Settings): void {
  const { marker } = places(settings);
  if (existsSync(settings.home) && !existsSync(marker)) {
    throw new Failure(
      `${settings.home} was not made by npm start (there is no ${marker}); delete it yourself if you mean it.`,
    );
  }
}

async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new Failure('Nobody is there to ask: npm run reset -- --yes');
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(question);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}
