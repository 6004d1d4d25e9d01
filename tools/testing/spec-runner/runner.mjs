/**
 * Jest's runner here: spec files in Node processes in which modules load as Node loads them, natively.
 * Jest's own evaluates every module of every file anew through `node:vm`: for a service that is seconds a file, and
 * gigabytes by the end. Jest still finds the files, runs the cases (jest-circus), compares (expect), counts and reports.
 * Plain JavaScript: stripping types would cost every process a compiler.
 */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { batches } from './batches.mjs';

const PROGRAM = join(import.meta.dirname, 'spec-process.mjs');
const COMPILED = join(import.meta.dirname, '../../../node_modules/.cache/outrider-specs');

export default class SpecRunner {
  #globalConfig;
  #running = new Set();

  constructor(globalConfig) {
    this.#globalConfig = globalConfig;
    process.once('exit', () => this.#running.forEach(endGroup));
  }

  /** Jest's contract of a runner that calls back. */
  async runTests(tests, watcher, onStart, onResult, onFailure, { serial }) {
    const waiting = batches(tests, serial);
    const lane = async (_, index) => {
      for (let batch = waiting.shift(); batch; batch = waiting.shift()) {
        const spec = new SpecProcess(this.#globalConfig, this.#running, index + 1);
        for (const test of batch) {
          if (watcher.isInterrupted()) break;
          await onStart(test);
          await spec.run(test).then(
            (result) => onResult(test, result),
            (error) => onFailure(test, error),
          );
        }
        if (await spec.end()) {
          console.error(
            `Processes were left running, and are ended, by one of\n${batch.map(({ path }) => path).join('\n')}`,
          );
        }
      }
    };
    const lanes = serial ? 1 : this.#globalConfig.maxWorkers;
    await Promise.all(Array.from({ length: lanes }, lane));
  }
}

/** The process of one batch; a new one takes the rest when a file has broken it. */
class SpecProcess {
  #globalConfig;
  #running;
  #lane;
  #child;
  #left = false;

  constructor(globalConfig, running, lane) {
    this.#globalConfig = globalConfig;
    this.#running = running;
    this.#lane = lane;
  }

  /** Jest's `TestResult` of one file. Rejects when there is none. */
  async run({ path, context }) {
    this.#child ??= this.#start();
    const child = this.#child;
    const answer = await new Promise((done) => {
      child.once('message', done);
      child.ended.then((how) => done({ error: new Error(`The process of ${path} ended (${how}) without a result.`) }));
      child.send({ path, globalConfig: this.#globalConfig, config: context.config });
    });
    if (answer.result) return answer.result;
    await this.end();
    throw answer.error;
  }

  /** Whether anything that it started was still running. */
  async end() {
    const child = this.#child;
    if (child) {
      this.#child = undefined;
      if (child.connected) child.send('end');
      await child.ended;
      this.#running.delete(child);
      if (endGroup(child)) this.#left = true;
    }
    return this.#left;
  }

  #start() {
    const child = fork(PROGRAM, {
      // A group of its own: what specs started and left is ended with it.
      detached: true,
      env: { NODE_COMPILE_CACHE: COMPILED, ...process.env, JEST_WORKER_ID: String(this.#lane) },
      execArgv: ['--enable-source-maps'],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    child.on('error', () => {});
    child.ended = new Promise((done) => child.once('exit', (code, signal) => done(signal ?? code)));
    this.#running.add(child);
    return child;
  }
}

/** Ends what is left of a process and of those it started; says whether there was anything. */
function endGroup({ pid }) {
  try {
    return process.kill(-pid, 'SIGKILL');
  } catch {
    return false;
  }
}
