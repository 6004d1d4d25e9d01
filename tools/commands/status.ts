/** `npm run status`: every process of the suite. Exit code 0 all ready, 1 something is not, 3 nothing runs. */
import { runCommand } from '../local/failure.ts';
import { readiness } from '../local/http.ts';
import { portsOf } from '../local/ports.ts';
import { isAlive, residentBytes } from '../local/process-identity.ts';
import { SERVICES } from '../local/services.ts';
import { readSettings, type Settings } from '../local/settings.ts';
import { type ChildState, readState, runningState } from '../local/state.ts';
import { summary } from '../local/summary.ts';
import { mebibytes, table } from '../local/terminal.ts';

await runCommand(async () => {
  const here = readSettings();
  const state = runningState(here);
  if (!state) {
    const orphans = (readState(here)?.children ?? []).filter((child) => isAlive(child.process));
    console.log('Outrider does not run here.');
    if (orphans.length > 0)
      console.log(
        `A killed supervisor left ${orphans.map((child) => child.name).join(', ')} running: npm stop ends them.`,
      );
    return 3;
  }
  const settings = { ...here, portOffset: state.portOffset };
  const names = new Set([...SERVICES.map(({ name }) => name), ...state.children.map((child) => child.name)]);
  const rows = await Promise.all(
    [...names].map((name) =>
      row(
        settings,
        name,
        state.children.find((child) => child.name === name),
      ),
    ),
  );
  console.log(`Outrider is ${state.phase} (supervisor: process ${state.supervisor.pid}).\n`);
  console.log(table([['process', 'pid', 'state', 'memory', 'up', 'restarts'], ...rows.map(({ cells }) => cells)]));
  const memory = state.children.filter(({ name }) => SERVICES.some((service) => service.name === name));
  console.log(
    `\n  services together: ${mebibytes(memory.reduce((sum, child) => sum + residentBytes(child.process.pid), 0))}\n`,
  );
  console.log(summary(settings));
  return state.phase === 'ready' && rows.every(({ good }) => good) ? 0 : 1;
});

async function row(
  settings: Settings,
  name: string,
  child: ChildState | undefined,
): Promise<{ cells: string[]; good: boolean }> {
  if (!child || !isAlive(child.process)) return { cells: [name, '', 'away', '', '', ''], good: false };
  const http = portsOf(settings).services[name]?.http;
  const answer = http ? await readiness(http) : undefined;
  const state = http ? ((answer?.body as { status?: string } | undefined)?.status ?? 'no answer') : 'running';
  const seconds = Math.round((Date.now() - Date.parse(child.since)) / 1000);
  const cells = [
    name,
    String(child.process.pid),
    state,
    mebibytes(residentBytes(child.process.pid)),
    `${seconds} s`,
    String(child.restarts),
  ];
  return { cells, good: !http || (answer?.status === 200 && state === 'ready') };
}
