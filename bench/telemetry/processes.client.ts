import { readdirSync, readFileSync } from 'node:fs';
import type { Suite } from '../suite/suite.client.js';

const TICKS_PER_SECOND = 100;

/** CPU seconds spent until now, by process. `postgres`: the server with all its backends, also those that have ended. */
export interface Spent {
  readonly service: number;
  readonly postgres: number;
  readonly nats: number;
  readonly generator: number;
}

/** `service`: whose own CPU is told. */
export function spent(suite: Suite, service = 'telemetry'): Spent {
  const { user, system } = process.cpuUsage();
  return {
    service: processSeconds(suite.pid(service)),
    postgres: treeSeconds(suite.pid('postgres')),
    nats: processSeconds(suite.pid('nats')),
    generator: (user + system) / 1e6,
  };
}

export function minus(after: Spent, before: Spent): Spent {
  const of = (name: keyof Spent) => after[name] - before[name];
  return { service: of('service'), postgres: of('postgres'), nats: of('nats'), generator: of('generator') };
}

export function processSeconds(pid: number): number {
  return own(fieldsOf(pid));
}

/** With its children, also those that have ended. */
export function treeSeconds(pid: number): number {
  const root = fieldsOf(pid);
  if (!root) throw new Error('PostgreSQL does not run here');
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => fieldsOf(Number(name)))
    .filter((fields) => fields?.[1] === String(pid));
  // cutime and cstime: those that ended and were waited for.
  const ended = (Number(root[13]) + Number(root[14])) / TICKS_PER_SECOND;
  return children.reduce((sum, fields) => sum + own(fields), own(root) + ended);
}

function own(fields: readonly string[] | undefined): number {
  if (!fields) throw new Error('a process of the suite has ended');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Of `/proc/<pid>/stat` from the state on (proc(5)); undefined for a process that is gone. */
function fieldsOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
