/** One supervised process: its log, its orderly end, and its return with backoff when it ends unasked. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, readSync, statSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';
import { identify, type ProcessIdentity } from './process-identity.ts';

export interface ChildSpec {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** The user it runs as, when not ours. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly logFile: string;
  readonly stopSignal: NodeJS.Signals;
  readonly graceMs: number;
  /** Not started again when it ends by itself. */
  readonly once?: true;
}

const FIRST_BACKOFF_MS = 250;
const LAST_BACKOFF_MS = 15_000;
/** A process that ran this long has proved itself: its next fall starts from the first backoff again. */
const PROVEN_MS = 30_000;
const LOG_LIMIT_BYTES = 20 * 2 ** 20;

export class Child {
  readonly spec: ChildSpec;
  identity: ProcessIdentity | undefined;
  restarts = 0;
  since = new Date();
  /** Falls in a row, without a proven run between them. */
  falls = 0;
  #process: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;
  /** Where this run's part of the log begins. */
  #logStart = 0;
  #ended: Promise<void> = Promise.resolve();
  readonly #say: (line: string) => void;
  readonly #changed: () => void;

  /** `changed` is called whenever the process behind the name is another one. */
  constructor(spec: ChildSpec, say: (line: string) => void, changed: () => void) {
    this.spec = spec;
    this.#say = say;
    this.#changed = changed;
  }

  start(): void {
    const { program, args, env, cwd, owner, logFile } = this.spec;
    mkdirSync(dirname(logFile), { recursive: true, mode: 0o700 });
    keepLogSmall(logFile);
    this.#logStart = existsSync(logFile) ? statSync(logFile).size : 0;
    // The child holds the file itself: nothing it says is lost when the supervisor is killed.
    const log = openSync(logFile, 'a', 0o600);
    // A session of its own: a terminal's Ctrl-C reaches the supervisor alone, which then stops the children in order.
    const child = spawn(program, args, {
      env: env ?? process.env,
      cwd,
      ...owner,
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    this.#process = child;
    this.since = new Date();
    this.identity = child.pid === undefined ? undefined : identify(child.pid);
    this.#ended = new Promise((done) => {
      child.once('error', (error) => this.#fell(error.message, done));
      child.once('exit', (code, signal) => this.#fell(signal ? `killed by ${signal}` : `exit ${code}`, done));
    });
    this.#changed();
  }

  get running(): boolean {
    return this.#process !== undefined;
  }

  /** Ends it in order, and for good. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const child = this.#process;
    if (!child) return;
    child.kill(this.spec.stopSignal);
    const killer = setTimeout(() => child.kill('SIGKILL'), this.spec.graceMs);
    await this.#ended;
    clearTimeout(killer);
  }

  #fell(how: string, done: () => void): void {
    this.#process = undefined;
    this.identity = undefined;
    done();
    this.#changed();
    if (this.#stopping) return;
    this.falls = Date.now() - this.since.getTime() > PROVEN_MS ? 1 : this.falls + 1;
    if (this.spec.once) {
      this.#say(`${this.spec.name} ended (${how}); it stays away`);
      return;
    }
    const waitMs = Math.min(FIRST_BACKOFF_MS * 2 ** (this.falls - 1), LAST_BACKOFF_MS);
    this.#say(
      `${this.spec.name} ended (${how}${lastWords(tail(this.spec.logFile, 4096, this.#logStart))}); starting it again in ${waitMs / 1000} s`,
    );
    this.#timer = setTimeout(() => {
      this.restarts += 1;
      try {
        this.start();
      } catch (error) {
        this.#fell((error as Error).message, () => {});
      }
    }, waitMs);
  }
}

/** Keeps the last of a log beside it once it is large, and starts it anew; safe while a process appends to it. */
export function keepLogSmall(logFile: string): void {
  if (!existsSync(logFile) || statSync(logFile).size < LOG_LIMIT_BYTES) return;
  copyFileSync(logFile, `${logFile}.1`);
  truncateSync(logFile);
}

/** The last `bytes` of a log as lines, none of them before the offset `from`. */
export function tail(logFile: string, bytes = 4096, from = 0): string[] {
  if (!existsSync(logFile)) return [];
  const handle = openSync(logFile, 'r');
  try {
    const { size } = statSync(logFile);
    const buffer = Buffer.alloc(Math.max(0, Math.min(bytes, size - from)));
    readSync(handle, buffer, 0, buffer.length, size - buffer.length);
    return buffer
      .toString()
      .split('\n')
      .filter((line) => line.trim() !== '');
  } finally {
    closeSync(handle);
  }
}

/** The line of a log that tells most about an end: the last one that speaks of an error. */
function lastWords(lines: readonly string[]): string {
  const full = lines.findLast((line) => /ENOSPC|no space left/i.test(line));
  if (full) return ', the disk is full';
  const line = lines.findLast((text) => /\b(fatal|panic|error)\b/i.test(text));
  const words = line && (/"msg":"([^"]{1,160})/.exec(line)?.[1] ?? line.slice(0, 160));
  return words ? `, "${words}"` : '';
}
