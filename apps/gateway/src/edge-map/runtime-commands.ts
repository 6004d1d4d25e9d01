/** Commands of HAProxy's runtime API that keep its maps (management guide, "add map", "prepare map"). */
import { EDGE_KINDS, type EdgeKind, type FeedEntry } from './feed-line.js';

/** Lines of one payload: all of it, with its command, fits into HAProxy's buffer. */
const PER_PAYLOAD = 200;

const FILES: Readonly<Record<EdgeKind, string>> = {
  certificate: 'certificates.map',
  device: 'devices.map',
  network: 'networks.map',
};
/** As the configuration names them. */
export function mapFile(folder: string, kind: EdgeKind): string {
  return `${folder}/${FILES[kind]}`;
}

/** What is in the maps: a second entry of one key would stay when the first is deleted. */
export type Held = Readonly<Record<EdgeKind, Set<string>>>;

export function nothingHeld(): Held {
  return { certificate: new Set(), device: new Set(), network: new Set() };
}

/** Brings `held` up to date, and returns the commands that do the same to the maps; deletions first, in the order of the changes a key had last. */
export function changeCommands(folder: string, held: Held, entries: readonly FeedEntry[]): string[] {
  const last = new Map(entries.map((entry) => [`${entry.kind} ${entry.value}`, entry]));
  const deleted: string[] = [];
  const added: Record<EdgeKind, string[]> = { certificate: [], device: [], network: [] };
  for (const { kind, value, gone } of last.values()) {
    if (gone && held[kind].delete(value)) deleted.push(`del map ${mapFile(folder, kind)} ${value}`);
    if (gone || held[kind].has(value)) continue;
    held[kind].add(value);
    added[kind].push(value);
  }
  return [...deleted, ...EDGE_KINDS.flatMap((kind) => addCommands(mapFile(folder, kind), added[kind]))];
}

/** `version`: of a map that is prepared and not yet in force. */
export function addCommands(file: string, values: Iterable<string>, version?: number): string[] {
  const commands: string[] = [];
  let lines: string[] = [];
  const name = version === undefined ? file : `@${version} ${file}`;
  const flush = () => {
    if (lines.length > 0) commands.push(`add map ${name} <<\n${lines.join('\n')}\n`);
    lines = [];
  };
  for (const value of values) {
    lines.push(`${value} 1`);
    if (lines.length >= PER_PAYLOAD) flush();
  }
  flush();
  return commands;
}

/** The version that `prepare map` made. */
export function preparedVersion(answer: string): number | undefined {
  const version = /New version created: (\d+)/.exec(answer)?.[1];
  return version === undefined ? undefined : Number(version);
}
