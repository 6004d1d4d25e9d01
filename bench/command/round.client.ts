/** One round of commands: when each was sent, received and answered, and what it cost each process. */
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, loadAverage } from '../enrol/cpu.client.js';
import type { Suite } from '../suite/suite.client.js';
import { minus, spent } from '../telemetry/processes.client.js';
import type { Heard } from './vehicle.client.js';

const BESIDE = ['gateway', 'token'] as const;
const GIVE_UP_MS = 60_000;

interface Times {
  readonly sent: number;
  received?: number;
  stored?: number;
}

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
}

/** Times in ms; `cpuMs`: of one command, by process. `load`: of the machine at the end. */
export interface Round {
  readonly name: string;
  readonly sent: number;
  readonly perSecond: number;
  readonly receipt: Percentiles;
  readonly stored: Percentiles;
  readonly cpuMs: Readonly<Record<string, number>>;
  readonly missing: number;
  readonly failures: number;
  readonly load: string;
}

export class Rounds implements Heard {
  private readonly times = new Map<string, Times>();
  /** A vehicle may have it before the operator's answer has come. */
  private readonly early = new Map<string, Partial<Times>>();
  private readonly failures: string[] = [];

  constructor(
    private readonly suite: Suite,
    /** Sends one and gives its id. */
    private readonly sendOne: (n: number) => Promise<string>,
  ) {}

  received(id: string, at: number): void {
    this.of(id).received = at;
  }

  stored(id: string, at: number): void {
    this.of(id).stored = at;
  }

  failed(error: unknown): void {
    this.failures.push(String(error));
  }

  /** A refusal is a result, too: it is counted, and the round goes on. */
  readonly send = async (n: number): Promise<void> => {
    const sent = performance.now();
    try {
      const id = await this.sendOne(n);
      this.times.set(id, { sent, ...this.early.get(id) });
    } catch (error) {
      this.failed(error);
    }
  };

  async round(name: string, work: () => Promise<void>): Promise<Round> {
    this.times.clear();
    this.early.clear();
    this.failures.length = 0;
    const { suite } = this;
    const beside = () => BESIDE.map((service) => cpuSeconds(suite.pid(service)));
    const [before, besideBefore] = [spent(suite, 'command'), beside()];
    const startedAt = performance.now();
    await work();
    await this.settled();
    const all = [...this.times.values()];
    const seconds = (Math.max(...all.map(({ stored = startedAt }) => stored)) - startedAt) / 1000;
    const { service, ...others } = minus(spent(suite, 'command'), before);
    const after = beside();
    const cpu = { command: service, ...others };
    const each = [...Object.entries(cpu), ...BESIDE.map((name, n) => [name, after[n]! - besideBefore[n]!] as const)];
    return {
      name,
      sent: all.length,
      perSecond: rounded(all.length / seconds),
      receipt: percentiles(all, 'received'),
      stored: percentiles(all, 'stored'),
      cpuMs: Object.fromEntries(each.map(([of, spent]) => [of, rounded((spent * 1000) / all.length)])),
      missing: all.filter(({ stored }) => stored === undefined).length,
      failures: this.failures.length,
      load: loadAverage(),
    };
  }

  get firstFailures(): readonly string[] {
    return this.failures.slice(0, 3);
  }

  private of(id: string): Partial<Times> {
    const known = this.times.get(id) ?? this.early.get(id);
    if (known) return known;
    const fresh: Partial<Times> = {};
    this.early.set(id, fresh);
    return fresh;
  }

  private async settled(): Promise<void> {
    const end = performance.now() + GIVE_UP_MS;
    while ([...this.times.values()].some(({ stored }) => stored === undefined) && performance.now() < end)
      await sleep(5);
  }
}

function percentiles(all: readonly Times[], what: 'received' | 'stored'): Percentiles {
  const values = all
    .flatMap((each) => (each[what] === undefined ? [] : [each[what] - each.sent]))
    .sort((a, b) => a - b);
  const at = (share: number) => rounded(values[Math.max(0, Math.ceil(share * values.length) - 1)] ?? Number.NaN);
  return { p50: at(0.5), p99: at(0.99), most: at(1) };
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
