import {
  BatchSpanProcessor,
  type ReadableSpan,
  type Span,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';

const EXPORT_EVERY_MS = 2_000;
const EXPORT_AT_ONCE = 512;
/** Longer than any export: the exporter's own timeout is the one that counts. */
const EXPORT_TIMEOUT_MS = 15_000;

/** What becomes of spans. `dropped`: the queue was full; `failed`: the collector was away or refused them. */
export type SpanFate = 'exported' | 'dropped' | 'failed';

/** The library's queue, bounded and counted: it keeps to itself what it drops, and what its exporter fails to deliver. */
export class SpanQueue implements SpanProcessor {
  readonly counts: Record<SpanFate, number> = { exported: 0, dropped: 0, failed: 0 };
  private readonly queue: BatchSpanProcessor;
  private waiting = 0;
  private isAway = false;

  constructor(
    exporter: SpanExporter,
    private readonly capacity: number,
    private readonly logger: Logger,
  ) {
    this.queue = new BatchSpanProcessor({
      exporter: { export: (spans, done) => this.export(exporter, spans, done), shutdown: () => exporter.shutdown() },
      maxQueueSize: capacity,
      maxExportBatchSize: Math.min(EXPORT_AT_ONCE, capacity),
      scheduledDelayMillis: EXPORT_EVERY_MS,
      exportTimeoutMillis: EXPORT_TIMEOUT_MS,
    });
  }

  onStart(span: Span, context: Parameters<SpanProcessor['onStart']>[1]): void {
    this.queue.onStart(span, context);
  }

  onEnd(span: ReadableSpan): void {
    if (this.waiting >= this.capacity) {
      this.counts.dropped += 1;
      return;
    }
    this.waiting += 1;
    this.queue.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.queue.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.queue.shutdown();
  }

  private export(exporter: SpanExporter, spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    this.waiting -= spans.length;
    exporter.export(spans, (result) => {
      const isKept = result.code === 0;
      this.counts[isKept ? 'exported' : 'failed'] += spans.length;
      // Once when it goes and once when it comes back, not for every batch.
      if (isKept === this.isAway) {
        this.isAway = !isKept;
        if (isKept) this.logger.info('spans reach the collector again');
        else this.logger.warn({ err: result.error, spans: spans.length }, 'spans do not reach the collector');
      }
      done(result);
    });
  }
}
