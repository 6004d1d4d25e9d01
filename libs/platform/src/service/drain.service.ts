import { EventEmitter } from 'node:events';
import { Inject, Injectable } from '@nestjs/common';
import { Readiness } from './readiness.service.js';
import { RUNTIME, type Runtime } from './runtime.provider.js';

/**
 * What a stop does before anything closes. `/readyz` says `draining` at once, and for the first half of the delay nothing else changes: load
 * balancers need a moment to look elsewhere. In the second half whoever is here is sent away: each answer closes its connection, streams
 * and long polls end one after the other, so that all have a place elsewhere by the time the listeners close.
 */
@Injectable()
export class Drain {
  /** `leaving`: whoever holds streams ends them within so many milliseconds. */
  readonly events = new EventEmitter<{ leaving: [withinMs: number] }>();
  private leaving = false;
  private hurry: () => void = () => undefined;

  constructor(
    private readonly readiness: Readiness,
    @Inject(RUNTIME) private readonly runtime: Runtime,
  ) {
    this.events.setMaxListeners(50);
  }

  /** Whoever has its answer is to go elsewhere. */
  get isLeaving(): boolean {
    return this.leaving;
  }

  /** Resolves when the listeners may close. */
  async run(): Promise<void> {
    this.readiness.drain();
    const halfMs = this.runtime.config.shutdown.drainDelayMs / 2;
    await this.wait(halfMs);
    this.leaving = true;
    this.events.emit('leaving', halfMs);
    await this.wait(halfMs);
  }

  /** Ends the half under way: somebody cannot wait. */
  now(): void {
    this.hurry();
  }

  private async wait(ms: number): Promise<void> {
    if (ms === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
