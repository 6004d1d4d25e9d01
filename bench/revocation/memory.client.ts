import { readFileSync } from 'node:fs';

/** Resident memory of processes, looked at ten times a second. */
export class Memory {
  private readonly highest = new Map<string, number>();
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly processes: readonly (readonly [string, number])[]) {
    this.timer = setInterval(() => this.look(), 100);
  }

  begin(): void {
    this.highest.clear();
    this.look();
  }

  most(): string {
    return [...this.highest].map(([name, bytes]) => `${name} ${mebibytes(bytes)}`).join(', ');
  }

  now(): string {
    this.begin();
    return this.most();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    for (const [name, pid] of this.processes) {
      const kib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
      this.highest.set(name, Math.max(this.highest.get(name) ?? 0, kib * 1024));
    }
  }
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
