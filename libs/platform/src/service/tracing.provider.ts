import {
  type Attributes,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';
import { readSecret, type TracingConfig } from './config.js';
import type { Metrics } from './metrics.service.js';
import { SpanQueue } from './span-queue.provider.js';
import { newSpan, type RecordedSpan, type SpanRole, type Trace } from './trace.provider.js';
import { type CallerTrace, isSampled, parseTraceparent } from './traceparent.js';

const KINDS: Readonly<Record<SpanRole, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};
const EXPORT_TIMEOUT_MS = 5_000;
/** A collector that is away keeps no service from stopping. */
const LAST_EXPORT_MS = 2_000;
const VALUE_LENGTH = 256;

/**
 * Records spans and sends them to the configured collector (OTLP over HTTP, JSON). Whether a request is recorded is decided where it comes in
 * and holds from there on: through NATS, the outbox and into PostgreSQL. Loaded only where tracing is configured.
 */
export class Tracing {
  readonly queue: SpanQueue;
  private readonly provider: TracerProvider;
  private readonly tracer;

  constructor(
    private readonly config: TracingConfig,
    { service, instance, logger }: { service: string; instance: string; logger: Logger },
  ) {
    const exporter = new OTLPTraceExporter({
      url: config.endpoint,
      timeoutMillis: EXPORT_TIMEOUT_MS,
      concurrencyLimit: 2,
      headers: async () => credentials(config.tokenFile, logger),
    });
    this.queue = new SpanQueue(exporter, config.queueSize, logger);
    this.provider = new TracerProvider({
      resource: resourceFromAttributes({
        'service.namespace': 'outrider',
        'service.name': service,
        'service.instance.id': instance,
      }),
      spanLimits: { attributeValueLengthLimit: VALUE_LENGTH },
      spanProcessors: [this.queue],
    });
    this.tracer = this.provider.getTracer('outrider');
  }

  /** What became of spans, for Prometheus. */
  observe(metrics: Metrics): void {
    const { counts } = this.queue;
    const spans = metrics.counter('outrider_trace_spans_total', 'Spans, by what became of them.', ['fate']);
    const collect = () => {
      spans.reset();
      for (const [fate, count] of Object.entries(counts)) spans.inc({ fate }, count);
    };
    Object.assign(spans, { collect });
  }

  /** Whether the word of those who come in by this listener counts. */
  believes(listener: string): boolean {
    return (this.config.believeSampledOf as readonly string[]).includes(listener);
  }

  /**
   * Where a request or an event comes in. `believed`: the caller's word on being recorded counts: a service's does, a vehicle's does
   * only where it is configured.
   */
  enter(header: string | undefined, believed: boolean, name: string, role: SpanRole, attributes: Attributes): Trace {
    const caller = parseTraceparent(header);
    const { sampleRatio } = this.config;
    if (!isSampled(caller, { believed, sampleRatio, random: Math.random() })) return newSpan(header);
    return this.begin(caller, name, role, attributes);
  }

  /** What a recorded trace left behind, such as an event in the outbox; undefined for all others. */
  resume(header: string | undefined, name: string, role: SpanRole, attributes: Attributes): Trace | undefined {
    const caller = parseTraceparent(header);
    return caller?.sampled ? this.begin(caller, name, role, attributes) : undefined;
  }

  /** Sends what is left, within two seconds. */
  async close(): Promise<void> {
    let late: NodeJS.Timeout | undefined;
    const given = new Promise<void>((resolve) => {
      late = setTimeout(resolve, LAST_EXPORT_MS);
    });
    await Promise.race([this.provider.shutdown().catch(() => undefined), given]);
    clearTimeout(late);
  }

  private begin(
    parent: CallerTrace | undefined,
    name: string,
    role: SpanRole,
    attributes: Attributes,
    links: Link[] = [],
  ): Trace {
    const context = parent
      ? trace.setSpanContext(ROOT_CONTEXT, { ...contextOf(parent), isRemote: true })
      : ROOT_CONTEXT;
    const span = this.tracer.startSpan(name, { kind: KINDS[role], attributes, links }, context);
    const { traceId, spanId } = span.spanContext();
    return { traceId, spanId, sampled: true, span: this.recorded({ traceId, spanId, sampled: true }, span) };
  }

  private recorded(self: CallerTrace, span: Span): RecordedSpan {
    return {
      child: (name, role, attributes, alsoFor = []) =>
        this.begin(
          self,
          name,
          role,
          attributes,
          alsoFor.map((other) => ({ context: contextOf(other) })),
        ),
      rename: (name) => void span.updateName(name),
      say: (attributes) => void span.setAttributes(attributes),
      fail: (error) => void span.setAttribute('error.type', kindOf(error)).setStatus({ code: SpanStatusCode.ERROR }),
      end: () => span.end(),
    };
  }
}

/** It must not throw; a collector that misses it refuses, and that is counted. */
function credentials(tokenFile: string | undefined, logger: Logger): Record<string, string> {
  if (tokenFile === undefined) return {};
  try {
    return { authorization: `Bearer ${readSecret(tokenFile)}` };
  } catch (error) {
    logger.warn({ err: error }, "the collector's token cannot be read");
    return {};
  }
}

function contextOf({ traceId, spanId }: CallerTrace) {
  return { traceId, spanId, traceFlags: TraceFlags.SAMPLED };
}

/** A message may hold values; a code never does. */
function kindOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : typeof name === 'string' ? name : 'unknown';
}
