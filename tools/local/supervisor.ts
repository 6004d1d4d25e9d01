/** Keeps the processes of a suite running and written down, and ends them in the reverse order of their start. */
import { Child, type ChildSpec, keepLogSmall } from './child.ts';
import { inWords } from './failure.ts';
import type { Settings } from './settings.ts';
import { release, type SuiteState, writeState } from './state.ts';

const LOG_CHECK_MS = 60_000;

export class Supervisor {
  readonly children: Child[] = [];
  readonly #settings: Settings;
  readonly #say: (line: string) => void;
  readonly #logCheck: NodeJS.Timeout;
  #state: SuiteState;

  constructor(settings: Settings, state: SuiteState, say: (line: string) => void) {
    this.#settings = settings;
    this.#state = state;
    this.#say = say;
    this.#logCheck = setInterval(() => {
      for (const { spec } of this.children) keepLogSmall(spec.logFile);
    }, LOG_CHECK_MS);
    this.#logCheck.unref();
  }

  start(spec: ChildSpec): Child {
    const child = new Child(spec, this.#say, () => this.#write());
    this.children.push(child);
    child.start();
    return child;
  }

  enter(phase: SuiteState['phase']): void {
    this.#state = { ...this.#state, phase };
    this.#write();
  }

  /** Ends the children in groups, last first: everything that `lastFirst` names stays until all others are gone. */
  async stop(lastFirst: readonly string[]): Promise<void> {
    this.enter('stopping');
    clearInterval(this.#logCheck);
    const servers = lastFirst.flatMap((name) => this.children.filter((child) => child.spec.name === name));
    const others = this.children.filter((child) => !servers.includes(child));
    await Promise.all(others.map((child) => child.stop()));
    for (const child of servers) await child.stop();
    release(this.#settings);
  }

  #write(): void {
    const children = this.children.flatMap(({ spec, identity, restarts, since }) =>
      identity
        ? [{ name: spec.name, process: identity, stopSignal: spec.stopSignal, restarts, since: since.toISOString() }]
        : [],
    );
    this.#state = { ...this.#state, children };
    try {
      writeState(this.#settings, this.#state);
    } catch (error) {
      // A full disk must not end the supervisor, which is the one to say so.
      this.#say(`the list of processes could not be written: ${inWords(error)}`);
    }
  }
}
