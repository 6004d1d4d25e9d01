/** The reference agent, many vehicles in one process, with telemetry and streams of commands; what they say goes into the ledger. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PROJECT } from '../suite/own-suite.client.js';
import { Ledger } from './ledger.js';

const RAMP_MS = 50;

export class RunningFleet {
  readonly ledger = new Ledger();
  private readonly child: ChildProcess;
  private readonly ended: Promise<unknown>;

  constructor(endpoints: string, state: string, vehicles: number, intervalSeconds: string) {
    const program = join(PROJECT, 'apps/vehicle/dist/main.js');
    const args = ['simulate', '--endpoints', endpoints, '--state', state, '--prefix', 'rolling-', '--json'];
    const pace = ['--vehicles', `${vehicles}`, '--interval', `${intervalSeconds}s`, '--ramp', `${RAMP_MS}`];
    this.child = spawn(process.execPath, [program, ...args, ...pace], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
      // Files of hundreds of vehicles: libuv's four threads would be a queue.
      env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
    });
    this.ended = new Promise((done) => this.child.once('close', done));
    createInterface({ input: this.child.stdout! }).on('line', (line) => this.ledger.take(JSON.parse(line)));
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.ended;
  }
}
