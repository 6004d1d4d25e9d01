/** Two instances of every service: the suite's own and a second one on other ports, each restarted as an orchestrator would. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PROJECT } from '../suite/own-suite.client.js';
import type { Suite } from '../suite/suite.client.js';
import { Target } from './balancer.client.js';

/** From the ports of the first instance to those of the second, and from there to the balancer's. */
const APART = 100;
const AGAIN_MS = 1_000;
const READY_WITHIN_MS = 600_000;

interface Listener {
  port: number;
}
interface ServiceConfig {
  shutdown?: { drainDelayMs: number; finishMs: number };
  identity: { renewal?: string; stateDirectory?: string };
  listeners: Record<string, Listener>;
  authorization?: { listener: Listener };
}

export interface RestartTimes {
  /** From SIGTERM to the end of the process, and from there to ready. */
  readonly stopMs: number;
  readonly startMs: number;
}

export class TwoInstances {
  readonly first: Target;
  readonly second: Target;
  /** By the listener's name: ports of the first, the second and the balancer. */
  readonly ports: Readonly<Record<string, readonly [number, number, number]>>;
  private child: ChildProcess | undefined;
  private ending = false;
  private readonly config: string;

  constructor(
    readonly service: string,
    private readonly suite: Suite,
    private readonly home: string,
    drainDelayMs: number,
  ) {
    const own = join(home, 'config', `${service}.json`);
    this.config = join(home, 'config', `${service}-second.json`);
    const config = JSON.parse(readFileSync(own, 'utf8')) as ServiceConfig;
    config.shutdown = { drainDelayMs, finishMs: 10_000 };
    writeFileSync(own, JSON.stringify(config, null, 2));
    this.ports = Object.fromEntries(
      Object.entries(config.listeners).map(([name, { port }]) => [name, [port, port + APART, port + 2 * APART]]),
    );
    for (const listener of Object.values(config.listeners)) listener.port += APART;
    if (config.authorization) config.authorization.listener.port += APART;
    // One certificate for both: what one of them renews is its own.
    config.identity.renewal = 'external';
    delete config.identity.stateDirectory;
    writeFileSync(this.config, JSON.stringify(config, null, 2));
    const [first, second] = this.ports.http!;
    this.first = new Target(first);
    this.second = new Target(second);
  }

  /** The second one begins, and the first begins anew with the delay that a stop has now. */
  async begin(): Promise<void> {
    this.spawn();
    await this.restart('first');
    await untilReady(this.second, this.service);
  }

  async restart(which: 'first' | 'second'): Promise<RestartTimes> {
    const begunMs = performance.now();
    if (which === 'first') await this.endFirst();
    else await this.endSecond();
    const stopMs = performance.now() - begunMs;
    if (which === 'second') {
      this.ending = false;
      this.spawn();
    }
    await untilReady(this[which], `${this.service}, ${which}`);
    return { stopMs, startMs: performance.now() - begunMs - stopMs };
  }

  async stop(): Promise<void> {
    this.first.stop();
    this.second.stop();
    await this.endSecond();
  }

  private async endFirst(): Promise<void> {
    const pid = this.suite.pid(this.service);
    process.kill(pid, 'SIGTERM');
    while (isAlive(pid)) await sleep(50);
  }

  private async endSecond(): Promise<void> {
    const { child } = this;
    this.ending = true;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await gone;
  }

  private spawn(): void {
    const log = openSync(join(this.home, 'logs', `${this.service}-second.log`), 'a', 0o600);
    const program = join(PROJECT, 'apps', this.service, 'dist/main.js');
    this.child = spawn(process.execPath, ['--max-old-space-size=256', program, '--config', this.config], {
      cwd: PROJECT,
      stdio: ['ignore', log, log],
      // A session of its own, as the suite's services have: schedulers share the processor out among sessions.
      detached: true,
    });
    closeSync(log);
    // Begun again as an orchestrator would, unless it was meant to end.
    const { child } = this;
    child.once('exit', () => setTimeout(() => child === this.child && !this.ending && this.spawn(), AGAIN_MS));
  }
}

async function untilReady(target: Target, what: string): Promise<void> {
  const giveUpAt = performance.now() + READY_WITHIN_MS;
  while (!(await target.look())) {
    if (performance.now() > giveUpAt) throw new Error(`${what} did not become ready`);
    await sleep(100);
  }
}

/** A process that ended and was not waited for yet is gone too. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}
