/** HTTPS as a vehicle speaks it: its own client certificate, servers believed by the pinned anchors alone, everything bounded. */
import { createSecureContext, type SecureContext } from 'node:tls';
import { Agent, request } from 'undici';
import { type RequestTracer, unrecorded } from '../trace/tracer.client.js';
import { retryAfterSeconds } from './backoff.js';
import { NetworkFailure } from './network-failure.js';

export interface TlsIdentity {
  /** PEM, leaf first. */
  readonly certificates: string;
  /** As `KeyStore.privateKeyForTls` gives it. */
  readonly privateKey: string;
}

export interface VehicleRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** From the first byte sent to the last byte read. Default 10 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** For an answer without an end: its text as it comes, if its status is 200; `idleMs` is the longest silence then, and there is no other limit. */
  readonly stream?: { readonly onText: (text: string) => void; readonly idleMs: number };
}

export interface VehicleAnswer {
  readonly status: number;
  readonly body: string;
  readonly contentType: string;
  readonly date: string | undefined;
  /** Of the `Retry-After` header. */
  readonly retryAfterSeconds: number | undefined;
  /** Of the `DPoP-Nonce` header. */
  readonly dpopNonce: string | undefined;
}

const MAX_ANSWER_BYTES = 1024 * 1024;
/** Whoever took the client a moment before it was retired may be about to send. */
const RETIRE_AFTER_MS = 5_000;

export class VehicleClient {
  private readonly agent: Agent;
  /** Streams have no whole size; what reads them bounds each part. */
  private readonly streams: Agent;

  /**
   * `serverTrust`: PEM, the anchors of this vehicle; the system's own are not believed. `believing` nobody: for an answer that carries its
   * own proof, since anyone may be at the other end; never with an identity.
   */
  constructor(
    serverTrust: string,
    identity: TlsIdentity | undefined,
    believing: 'anchors' | 'nobody' = 'anchors',
    private readonly tracer?: RequestTracer,
  ) {
    if (identity && believing === 'nobody') throw new Error('an identity is shown to servers alone that are believed');
    const common = {
      connections: 4,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: 30_000,
      connect: {
        secureContext: contextOf(serverTrust, identity),
        rejectUnauthorized: believing === 'anchors',
        timeout: 5_000,
      },
    };
    this.agent = new Agent({ ...common, maxResponseSize: MAX_ANSWER_BYTES });
    this.streams = new Agent(common);
  }

  /** Resolves with any HTTP status. Throws NetworkFailure when there was no whole answer, and the signal's reason once it is aborted. */
  async send(url: string, options: VehicleRequest): Promise<VehicleAnswer> {
    const timeoutMs = options.timeoutMs ?? 10_000;
    const { stream } = options;
    const deadline = stream ? new AbortController().signal : AbortSignal.timeout(timeoutMs);
    const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
    const span = this.tracer?.begin(options.method, url) ?? unrecorded();
    try {
      const answer = await request(url, {
        dispatcher: stream ? this.streams : this.agent,
        method: options.method,
        headers: { traceparent: span.traceparent, ...options.headers },
        body: options.body ?? null,
        headersTimeout: timeoutMs,
        bodyTimeout: stream?.idleMs ?? timeoutMs,
        signal,
      });
      const header = (name: string): string | undefined => {
        const value = answer.headers[name];
        return Array.isArray(value) ? value[0] : value;
      };
      span.end({ status: answer.statusCode });
      return {
        status: answer.statusCode,
        body: stream && answer.statusCode === 200 ? await pour(answer.body, stream.onText) : await answer.body.text(),
        contentType: header('content-type') ?? '',
        date: header('date'),
        retryAfterSeconds: retryAfterSeconds(header('retry-after'), Date.now()),
        dpopNonce: header('dpop-nonce'),
      };
    } catch (cause) {
      if (options.signal?.aborted) {
        span.end({ failure: 'aborted' });
        throw options.signal.reason;
      }
      const failure = NetworkFailure.of(cause, deadline.aborted);
      span.end({ failure: failure.kind });
      throw failure;
    }
  }

  /** Soon takes nothing new, finishes what is under way, then closes. */
  retire(): void {
    const close = () => Promise.all([this.agent.close(), this.streams.close()]).catch(() => undefined);
    setTimeout(() => void close(), RETIRE_AFTER_MS).unref();
  }

  /** Cuts what is under way: used when the certificate behind it is out of use. */
  async close(): Promise<void> {
    await Promise.all([this.agent.destroy(), this.streams.destroy()]);
  }
}

async function pour(body: AsyncIterable<Uint8Array>, onText: (text: string) => void): Promise<string> {
  const decoder = new TextDecoder();
  for await (const chunk of body) onText(decoder.decode(chunk, { stream: true }));
  return '';
}

/** Made once for all connections: parsing keys and certificates anew costs a tenth of a handshake. */
function contextOf(serverTrust: string, identity: TlsIdentity | undefined): SecureContext {
  const shown = identity ? { cert: identity.certificates, key: identity.privateKey } : {};
  return createSecureContext({ ca: serverTrust, minVersion: 'TLSv1.2', ...shown });
}
