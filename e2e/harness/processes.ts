/** The suite's processes, as its supervisor writes them down. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOME } from './endpoints.js';

interface State {
  readonly supervisor: { readonly pid: number };
  readonly children: readonly {
    readonly name: string;
    readonly process: { readonly pid: number; readonly started: string };
  }[];
}

/** The process behind a name (a service, `nats`, `postgres`). */
export function processOf(name: string): number {
  const state = JSON.parse(readFileSync(join(HOME, 'run', 'supervisor.json'), 'utf8')) as State;
  const child = state.children.find((one) => one.name === name);
  if (!child) throw new Error(`the supervisor has no ${name}`);
  if (startOf(child.process.pid) !== child.process.started.split('@')[0])
    throw new Error(`process ${child.process.pid} is not ${name} any more`);
  return child.process.pid;
}

/** Clock ticks since boot at which a process began: a pid alone may be another's by now. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

/** kill -9. */
export function killHard(name: string): number {
  const pid = processOf(name);
  process.kill(pid, 'SIGKILL');
  return pid;
}

/** Another process stands behind the name, and lives. */
export function isBack(name: string, formerPid: number): boolean {
  try {
    return processOf(name) !== formerPid;
  } catch {
    return false;
  }
}
