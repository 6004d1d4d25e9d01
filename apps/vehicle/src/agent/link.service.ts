/** What each loop of the agent does about failure: tell it once, wait with backoff, tell when it is over. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '@outrider/errors';
import { backoffMs } from '../http/backoff.js';
import { NetworkFailure } from '../http/network-failure.js';
import type { Report } from '../report/report.service.js';
import { TokenRefused } from '../token/token-refused.js';

/** The service refused this vehicle, as opposed to one message of it. */
export class Denied extends Error {
  override readonly name = 'Denied';

  constructor(
    readonly code: string,
    readonly retryAfterSeconds: number | undefined = undefined,
  ) {
    super(code);
  }
}

/** The service asks to be left alone for a while. */
export class Later extends Error {
  override readonly name = 'Later';

  constructor(
    readonly code: string,
    readonly retryAfterSeconds: number | undefined,
  ) {
    super(code);
  }
}

export class LinkService {
  private attempt = 0;
  private said = '';

  constructor(
    private readonly service: string,
    private readonly report: Report,
    private readonly signal: AbortSignal,
  ) {}

  /** An exchange went well. */
  good(): void {
    if (this.attempt > 0) this.report({ event: 'online', service: this.service });
    this.attempt = 0;
    this.said = '';
  }

  /** Reports a failure the first time it is met, then waits. A bug is thrown on: it is not for waiting. */
  async failed(error: unknown): Promise<void> {
    if (this.signal.aborted) return;
    this.attempt += 1;
    const waitMs = backoffMs(this.attempt, Math.random(), retryAfterOf(error));
    const event = this.describe(error, waitMs);
    const key = `${event.event}/${'code' in event ? event.code : 'kind' in event ? event.kind : ''}`;
    if (key !== this.said) this.report(event);
    this.said = key;
    await sleep(waitMs, undefined, { signal: this.signal }).catch(() => undefined);
  }

  private describe(error: unknown, retryInMs: number) {
    const { service } = this;
    if (error instanceof NetworkFailure) {
      return { event: 'offline', service, kind: error.kind, detail: error.message, retryInMs } as const;
    }
    if (error instanceof Later && error.code === 'est.pending')
      return { event: 'awaiting_approval', retryInMs } as const;
    if (error instanceof Later) {
      return { event: 'offline', service, kind: error.code, detail: 'asked to wait', retryInMs } as const;
    }
    if (error instanceof Denied) return { event: 'denied', service, code: error.code } as const;
    if (error instanceof TokenRefused && error.code.startsWith('denylist.')) {
      return { event: 'denied', service: 'token', code: error.code } as const;
    }
    if (error instanceof TokenRefused && error.code.startsWith('service.')) {
      return { event: 'offline', service: 'token', kind: error.code, detail: error.detail, retryInMs } as const;
    }
    if (error instanceof TokenRefused) {
      return { event: 'token_refused', scope: this.service, code: error.code, detail: error.detail } as const;
    }
    if (error instanceof DomainError) {
      return { event: 'failed', what: service, code: error.code, detail: error.message } as const;
    }
    throw error;
  }
}

function retryAfterOf(error: unknown): number | undefined {
  const known = error instanceof Denied || error instanceof Later || error instanceof TokenRefused;
  return known || error instanceof DomainError ? error.retryAfterSeconds : undefined;
}
