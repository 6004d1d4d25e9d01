/** The reference vehicle agent and the simulator as processes of their own; their JSON events, as they come. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { ENDPOINTS_FILE, PROJECT } from './endpoints.js';
import { until } from './until.js';

export interface AgentEvent {
  readonly at: string;
  readonly device: string;
  readonly event: string;
  readonly [member: string]: unknown;
}

/** For an agent whose clock is off by so many seconds. */
export function clockOff(seconds: number): string {
  const code = `const Real = Date, off = ${seconds * 1000};
    globalThis.Date = class extends Real {
      constructor(...given) { given.length > 0 ? super(...given) : super(Real.now() + off); }
      static now() { return Real.now() + off; }
    };`;
  return `--import=data:text/javascript,${encodeURIComponent(code)}`;
}

export class Agent {
  readonly events: AgentEvent[] = [];
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  #rest = '';
  #said = '';

  /**
   * `args`: `run` or `simulate` and its options; `--json` is added, and `--endpoints` where it is not among them. What begins with
   * `--import=` is for Node.
   */
  constructor(...args: string[]) {
    const program = join(PROJECT, 'apps/vehicle/dist/main.js');
    const platform = args.includes('--endpoints') ? [] : ['--endpoints', ENDPOINTS_FILE];
    const forNode = args.filter((arg) => arg.startsWith('--import='));
    const own = args.filter((arg) => !forNode.includes(arg));
    const child = spawn(process.execPath, [...forNode, program, ...own, ...platform, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.on('data', (chunk: Buffer) => this.#take(chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => {
      this.#said += chunk.toString();
    });
    this.#child = child;
    this.ended = new Promise((done, failed) => {
      child.once('error', failed);
      child.once('close', (code) => done(code));
    });
  }

  /** What it wrote that is no event. */
  get said(): string {
    return this.#said;
  }

  of(event: string, from = 0): AgentEvent[] {
    return this.events.slice(from).filter((one) => one.event === event);
  }

  /** The first such event after the first `from` ones. */
  async seen(event: string, { from = 0, withinMs = 20_000 } = {}): Promise<AgentEvent> {
    const told = () => `${event} of an agent that said ${JSON.stringify(this.events.slice(-5))}\n${this.#said}`;
    return until(`agent: ${event}`, () => this.of(event, from)[0], { withinMs, everyMs: 20 }).catch(
      (cause: unknown) => {
        throw new Error(told(), { cause });
      },
    );
  }

  /** Sequence numbers that the platform acknowledged, by device; as often as it did. */
  acknowledged(): Map<string, Set<number>> {
    const all = new Map<string, Set<number>>();
    for (const { device, seq, upTo } of [...this.of('accepted'), ...this.of('duplicate')]) {
      const seqs = all.get(device) ?? new Set();
      for (let one = seq as number; one <= (upTo as number); one += 1) seqs.add(one);
      all.set(device, seqs);
    }
    return all;
  }

  /** As a power cut does. */
  async kill(): Promise<number | null> {
    this.#child.kill('SIGKILL');
    return this.ended;
  }

  /** Ends it in order. */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGTERM');
    return this.ended;
  }

  #take(text: string): void {
    const lines = `${this.#rest}${text}`.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      try {
        this.events.push(JSON.parse(line) as AgentEvent);
      } catch {
        this.#said += `${line}\n`;
      }
    }
  }
}
