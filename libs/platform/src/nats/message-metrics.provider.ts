import { DomainError } from '@outrider/errors';
import { Metrics } from '../service/metrics.service.js';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** `handled`; `again`: it failed and will come again; `set_aside`: out of contract, or cannot be stored. */
export type EventResult = 'handled' | 'again' | 'set_aside';

/** What is asked, answered and heard over NATS, by the subject of its contract: never with a routing token, which names a device. */
export class MessageMetrics {
  private readonly asked;
  private readonly answered;
  private readonly heard;
  private readonly pending;

  constructor(metrics: Metrics) {
    const labels = ['subject', 'code'] as const;
    this.asked = metrics.histogram(
      'outrider_nats_request_duration_seconds',
      'Requests to other services, from the question to its answer; `code`: ok, or why it was refused.',
      SECONDS,
      labels,
    );
    this.answered = metrics.histogram(
      'outrider_nats_answer_duration_seconds',
      "Other services' requests that were answered here; `code`: ok, or why they were refused.",
      SECONDS,
      labels,
    );
    this.heard = metrics.histogram(
      'outrider_nats_event_duration_seconds',
      'Kept events that were handled here; `result`: handled, again (it failed and comes again), set_aside.',
      SECONDS,
      ['subject', 'result'],
    );
    this.pending = metrics.gauge(
      'outrider_nats_consumer_pending_events',
      'Kept events that the consumer of this service has still before it, each replica says the same.',
      ['subject'],
    );
  }

  /** Measures a request that is made to `subject`. */
  asking<T>(subject: string, work: () => Promise<T>): Promise<T> {
    return measured(work, (code, seconds) => this.asked.observe({ subject, code }, seconds));
  }

  /** Measures the answer to a request; throws what `work` throws. */
  answering<T>(subject: string, work: () => Promise<T>): Promise<T> {
    return measured(work, (code, seconds) => this.answered.observe({ subject, code }, seconds));
  }

  /** @param sinceMs by `performance.now()`, when it was taken in hand. */
  event(subject: string, result: EventResult, sinceMs: number): void {
    this.heard.observe({ subject, result }, (performance.now() - sinceMs) / 1000);
  }

  /** How many events a consumer has before it, as the server counts. */
  waiting(subject: string, count: number): void {
    this.pending.set({ subject }, count);
  }
}

async function measured<T>(work: () => Promise<T>, observe: (code: string, seconds: number) => void): Promise<T> {
  const startedMs = performance.now();
  let code = 'ok';
  try {
    return await work();
  } catch (error) {
    code = error instanceof DomainError ? error.code : 'service.internal';
    throw error;
  } finally {
    observe(code, (performance.now() - startedMs) / 1000);
  }
}
