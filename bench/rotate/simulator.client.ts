/** Simulated vehicles as processes of their own: the reference agent, many in one; their events, counted as they come. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PROJECT } from '../suite/own-suite.client.js';

/** What no vehicle should meet. */
const TROUBLE = new Set(['refused', 'held', 'denied', 'token_refused', 'failed', 'offline', 'epoch_raised']);

export interface SimulatorOptions {
  readonly endpoints: string;
  readonly state: string;
  readonly prefix: string;
  readonly vehicles: number;
  readonly intervalSeconds: number;
  readonly rampMs: number;
}

export interface Trouble {
  readonly at: number;
  readonly device: string;
  readonly what: string;
}

export class Simulator {
  readonly enrolled = new Set<string>();
  /** When each renewed first, by `performance.now()`, and how long it took, in ms. */
  readonly renewals: { readonly device: string; readonly at: number; readonly ms: number }[] = [];
  readonly accepted: { readonly at: number; readonly count: number }[] = [];
  readonly trouble: Trouble[] = [];
  private readonly child: ChildProcess;
  private readonly ended: Promise<unknown>;

  constructor({ endpoints, state, prefix, vehicles, intervalSeconds, rampMs }: SimulatorOptions) {
    const program = join(PROJECT, 'apps/vehicle/dist/main.js');
    const args = ['simulate', '--endpoints', endpoints, '--state', state, '--prefix', prefix];
    const pace = ['--vehicles', vehicles, '--interval', `${intervalSeconds}s`, '--ramp', rampMs].map(String);
    this.child = spawn(process.execPath, [program, ...args, ...pace, '--no-commands', '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      // Files of a thousand vehicles: libuv's four threads would be a queue.
      env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
    });
    this.ended = new Promise((done) => this.child.once('close', done));
    createInterface({ input: this.child.stdout! }).on('line', (line) => this.take(JSON.parse(line)));
  }

  /** Resident memory in MiB and CPU seconds so far, where Linux tells. */
  usage(): { readonly mib: number; readonly cpuSeconds: number } {
    try {
      const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
      const fields = readFileSync(`/proc/${this.child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
      const mib = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
      return { mib, cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100 };
    } catch {
      return { mib: Number.NaN, cpuSeconds: Number.NaN };
    }
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.ended;
  }

  private take(event: { event: string; device: string; [member: string]: unknown }): void {
    const at = performance.now();
    const { device } = event;
    if (event.event === 'enrolled') this.enrolled.add(device);
    else if (event.event === 'renewed') this.renewals.push({ device, at, ms: Number(event.ms) });
    else if (event.event === 'accepted') this.accepted.push({ at, count: Number(event.count) });
    else if (TROUBLE.has(event.event)) {
      const { code, kind, verdict, service, what, detail } = event;
      const words = [event.event, service ?? what, code ?? kind ?? verdict, detail].filter(Boolean).map(String);
      this.trouble.push({ at, device, what: words.join(' ').slice(0, 200) });
    }
  }
}
