/** HTTPS as a vehicle speaks it: its own client certificate, servers believed by the pinned anchors alone, everything bounded. */
import { createSecureContext, type SecureContext } from 'node:tls';
import { Agent, request } from 'undici';
import { retryAfterSeconds } from './backoff.js';
import { NetworkFailure } from './network-failure.js';

export interface TlsIdentity {
  /** PEM, leaf first. */
  readonly certificates: string;
  /** As `KeyStore.privateKeyForTls` gives it. */
  readonly privateKey: string;
}

export interface VehicleRequest {
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** From the first byte sent to the last byte read. Default 10 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
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

  /**
   * `serverTrust`: PEM, the anchors of this vehicle; the system's own are not believed. `believing` nobody: for an answer that carries its
   * own proof, since anyone may be at the other end; never with an identity.
   */
  constructor(serverTrust: string, identity: TlsIdentity | undefined, believing: 'anchors' | 'nobody' = 'anchors') {
    if (identity && believing === 'nobody') throw new Error('an identity is shown to servers alone that are believed');
    this.agent = new Agent({
      connections: 4,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: 30_000,
      maxResponseSize: MAX_ANSWER_BYTES,
      connect: {
        secureContext: contextOf(serverTrust, identity),
        rejectUnauthorized: believing === 'anchors',
        timeout: 5_000,
      },
    });
  }

  /** Resolves with any HTTP status. Throws NetworkFailure when there was no whole answer, and the signal's reason once it is aborted. */
  async send(url: string, options: VehicleRequest): Promise<VehicleAnswer> {
    const timeoutMs = options.timeoutMs ?? 10_000;
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
    try {
      const answer = await request(url, {
        dispatcher: this.agent,
        method: options.method,
        headers: { ...options.headers },
        body: options.body ?? null,
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        signal,
      });
      const header = (name: string): string | undefined => {
        const value = answer.headers[name];
        return Array.isArray(value) ? value[0] : value;
      };
      return {
        status: answer.statusCode,
        body: await answer.body.text(),
        contentType: header('content-type') ?? '',
        date: header('date'),
        retryAfterSeconds: retryAfterSeconds(header('retry-after'), Date.now()),
        dpopNonce: header('dpop-nonce'),
      };
    } catch (cause) {
      if (options.signal?.aborted) throw options.signal.reason;
      throw NetworkFailure.of(cause, deadline.aborted);
    }
  }

  /** Soon takes nothing new, finishes what is under way, then closes. */
  retire(): void {
    setTimeout(() => void this.agent.close().catch(() => undefined), RETIRE_AFTER_MS).unref();
  }

  /** Cuts what is under way: used when the certificate behind it is out of use. */
  async close(): Promise<void> {
    await this.agent.destroy();
  }
}

/** Made once for all connections: parsing keys and certificates anew costs a tenth of a handshake. */
function contextOf(serverTrust: string, identity: TlsIdentity | undefined): SecureContext {
  const shown = identity ? { cert: identity.certificates, key: identity.privateKey } : {};
  return createSecureContext({ ca: serverTrust, minVersion: 'TLSv1.2', ...shown });
}
