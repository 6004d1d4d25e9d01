/** `.outrider/run/supervisor.json`: which supervisor and which processes belong to this suite, written by the supervisor alone. */
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { Failure } from './failure.ts';
import { readJson, writeWhole } from './files.ts';
import { endProcess, identify, isAlive, type ProcessIdentity } from './process-identity.ts';
import { places, type Settings } from './settings.ts';

export interface ChildState {
  readonly name: string;
  readonly process: ProcessIdentity;
  /** Signal that ends it in order. */
  readonly stopSignal: NodeJS.Signals;
  readonly restarts: number;
  readonly since: string;
}

export interface SuiteState {
  readonly supervisor: ProcessIdentity;
  readonly phase: 'starting' | 'ready' | 'stopping';
  readonly portOffset: number;
  readonly demo: boolean;
  /** In the order they were started. */
  readonly children: readonly ChildState[];
}

export function readState(settings: Settings): SuiteState | undefined {
  try {
    return readJson<SuiteState>(places(settings).state);
  } catch {
    return undefined; // half a claim: its writer died within it
  }
}

export function writeState(settings: Settings, state: SuiteState): void {
  writeWhole(places(settings).state, `${JSON.stringify(state, null, 2)}\n`);
}

/** The state, if its supervisor lives. */
export function runningState(settings: Settings): SuiteState | undefined {
  const state = readState(settings);
  return state && isAlive(state.supervisor) ? state : undefined;
}

/**
 * Makes this process the supervisor of the suite: exactly one can be. What a supervisor that was killed left running is
 * ended first, told by pid and start time.
 */
export async function claim(settings: Settings, demo: boolean): Promise<SuiteState> {
  if (runningState(settings)) throw new Failure('Outrider is already running here.');
  takeHome(settings);
  await endLeftovers(settings);
  const { state: file, run } = places(settings);
  mkdirSync(run, { recursive: true, mode: 0o700 });
  const supervisor = identify(process.pid);
  if (!supervisor) throw new Failure('Cannot read /proc: Outrider runs on Linux only.');
  const state: SuiteState = { supervisor, phase: 'starting', portOffset: settings.portOffset, demo, children: [] };
  try {
    const handle = openSync(file, 'wx', 0o600);
    writeSync(handle, JSON.stringify(state));
    closeSync(handle);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new Failure('Outrider is already starting here.');
    throw error;
  }
  return state;
}

/** `npm run reset` deletes the whole folder: it must be one that holds nothing else. */
export function takeHome(settings: Settings): void {
  const { marker } = places(settings);
  if (existsSync(marker)) return;
  if (existsSync(settings.home) && readdirSync(settings.home).some((name) => name !== 'logs')) {
    throw new Failure(
      `${settings.home} holds other things; OUTRIDER_HOME must name a folder that Outrider has to itself.`,
    );
  }
  writeWhole(marker, 'npm run reset deletes the folder that holds this file.\n');
}

export function release(settings: Settings): void {
  rmSync(places(settings).state, { force: true });
}

/** Ends, last started first, what a dead supervisor left behind, and forgets it. Returns the names of what it ended. */
export async function endLeftovers(settings: Settings): Promise<string[]> {
  if (!existsSync(places(settings).state) || runningState(settings)) return [];
  const children = (readState(settings)?.children ?? []).filter((child) => isAlive(child.process)).reverse();
  for (const child of children) await endProcess(child.process, child.stopSignal, 10_000);
  release(settings);
  return children.map((child) => child.name);
}
