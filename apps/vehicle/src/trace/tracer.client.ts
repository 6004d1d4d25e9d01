/** Names every request to the platform (W3C `traceparent`) and, where a collector is configured, sends it a span of each (OTLP over HTTP, JSON). */
import { randomBytes } from 'node:crypto';
import type { Tracer } from '@opentelemetry/api';
import type { TracerProvider } from '@opentelemetry/sdk-trace';
import { routeOf } from './route.js';

export interface TraceOptions {
  /** e.g. `http://127.0.0.1:4318/v1/traces` */
  readonly endpoint: string;
  /** Of the requests, 0 to 1. */
  readonly ratio: number;
}

/** One request. Of a failure only its kind is told; of an answer its status. */
export interface RequestSpan {
  readonly traceparent: string;
  end(outcome: { readonly status: number } | { readonly failure: string }): void;
}

const QUEUE_SIZE = 2_048;
const EXPORT_EVERY_MS = 2_000;
const EXPORT_TIMEOUT_MS = 5_000;
const LAST_EXPORT_MS = 2_000;

export class RequestTracer {
  private constructor(
    private readonly provider: TracerProvider,
    private readonly tracer: Tracer,
    private readonly ratio: number,
    private readonly roles: { readonly client: number; readonly error: number },
  ) {}

  /** The library is loaded only where it is used. */
  static async open({ endpoint, ratio }: TraceOptions): Promise<RequestTracer> {
    const [api, sdk, { OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ]);
    const exporter = new OTLPTraceExporter({ url: endpoint, timeoutMillis: EXPORT_TIMEOUT_MS, concurrencyLimit: 2 });
    const queue = { exporter, maxQueueSize: QUEUE_SIZE, scheduledDelayMillis: EXPORT_EVERY_MS };
    const provider = new sdk.TracerProvider({
      // Nothing that says which vehicle: the platform knows by the token, and a trace is not the place to tell it.
      resource: resourceFromAttributes({ 'service.namespace': 'outrider', 'service.name': 'vehicle' }),
      spanProcessors: [new sdk.BatchSpanProcessor(queue)],
    });
    const roles = { client: api.SpanKind.CLIENT, error: api.SpanStatusCode.ERROR };
    return new RequestTracer(provider, provider.getTracer('outrider'), ratio, roles);
  }

  begin(method: string, url: string): RequestSpan {
    if (Math.random() >= this.ratio) return unrecorded();
    const { hostname, port, pathname } = new URL(url);
    const span = this.tracer.startSpan(`${method} ${routeOf(pathname)}`, {
      kind: this.roles.client,
      attributes: { 'http.request.method': method, 'server.address': hostname, 'server.port': Number(port) || 443 },
    });
    const { traceId, spanId } = span.spanContext();
    return {
      traceparent: `00-${traceId}-${spanId}-01`,
      end: (outcome) => {
        if ('status' in outcome) span.setAttribute('http.response.status_code', outcome.status);
        else span.setAttribute('error.type', outcome.failure);
        if ('failure' in outcome || outcome.status >= 400) span.setStatus({ code: this.roles.error });
        span.end();
      },
    };
  }

  /** Sends what is left; a collector that is away does not keep the vehicle. */
  async close(): Promise<void> {
    const given = new Promise<void>((resolve) => setTimeout(resolve, LAST_EXPORT_MS).unref());
    await Promise.race([this.provider.shutdown().catch(() => undefined), given]);
  }
}

/** A name alone, by which the platform's logs and answers can be found. */
export function unrecorded(): RequestSpan {
  const hex = randomBytes(24).toString('hex');
  return { traceparent: `00-${hex.slice(0, 32)}-${hex.slice(32)}-00`, end: () => undefined };
}
