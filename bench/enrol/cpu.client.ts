import { readFileSync } from 'node:fs';

/** USER_HZ: what `/proc` counts CPU time in, 100 a second on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU seconds of a process since it began, all threads, user and system, from `/proc/<pid>/stat`. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // After the name in brackets, which may hold anything: field 3 onwards; utime is field 14, stime 15 (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function loadAverage(): string {
  return readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' ');
}
