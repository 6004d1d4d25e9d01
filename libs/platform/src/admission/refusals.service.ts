import { Inject, Injectable } from '@nestjs/common';
import {
  type ClientCertificate,
  challenge,
  type DecisionFacts,
  dpopChallenge,
  presentedToken,
  type StepUp,
} from '@outrider/admission';
import { DomainError, type ErrorCode } from '@outrider/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Peer } from '../http/peer.js';
import { Metrics } from '../service/metrics.service.js';
import { RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { currentTrace } from '../service/trace.provider.js';
import { AccessTokens } from './access-tokens.service.js';
import { clientCertificate } from './client-certificate.js';
import { Decisions } from './decisions.service.js';
import { Dpop } from './dpop.service.js';
import { stripForwardedCertificate } from './forwarded-certificate.js';
import { ResourceMetadata } from './resource-metadata.service.js';

const STALE_RETRY_SECONDS = 1;

/** One request that admission judges. `startedMs`: when it began to, by `performance.now()`. */
export interface Call {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly peer: Peer;
  readonly startedMs: number;
}

export interface Refusal {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly deviceId?: string | undefined;
  readonly subject?: string | undefined;
  readonly retryAfterSeconds?: number;
}

type Facts = Pick<DecisionFacts, 'decision' | 'code' | 'subject' | 'detail' | 'tokenId'> & {
  readonly deviceId?: string | undefined;
};

/** How admission's decisions are answered, and what the decision log hears of them. */
@Injectable()
export class Refusals {
  private readonly certificates = new WeakMap<Peer, ClientCertificate>();
  private readonly ignoredHeaders;

  constructor(
    private readonly decisions: Decisions,
    private readonly tokens: AccessTokens,
    private readonly dpop: Dpop,
    private readonly resource: ResourceMetadata,
    @Inject(RUNTIME) private readonly runtime: Runtime,
    metrics: Metrics,
  ) {
    this.ignoredHeaders = metrics.counter(
      'outrider_client_cert_headers_ignored_total',
      'Forwarded client certificates from peers that are no configured proxy.',
      ['header'],
    );
  }

  /** Records the refusal, names in the answer's headers what would help, and throws. `scopes`: what the route asks for. */
  refuse(refusal: Refusal, call: Call, scopes: readonly string[] = [], stepUp: StepUp = {}): never {
    const { code, reason, subject } = refusal;
    const { retryAfterSeconds = code === 'revocation.stale' ? STALE_RETRY_SECONDS : undefined } = refusal;
    const { request, reply, peer } = call;
    const deviceId = refusal.deviceId ?? this.certificateOf(peer)?.deviceId;
    const tokenId = this.tokenIdOf(request, peer);
    this.record({ decision: 'deny', code, deviceId, subject, detail: reason, tokenId }, call);
    const header = this.challengeOf(code, scopes, stepUp, request, peer);
    if (header) {
      reply.header('www-authenticate', peer.listener === 'vehicle' ? this.resource.pointTo(header) : header);
    }
    if (code.startsWith('auth.dpop_')) this.dpop.giveNonce(reply);
    // A proxy's connection is other vehicles' too.
    if (code.startsWith('denylist.') && !peer.via) reply.header('connection', 'close');
    throw new DomainError(code, { detail: reason, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) });
  }

  record(facts: Facts, { request, peer, startedMs }: Call): void {
    this.decisions.record({
      ...facts,
      listener: peer.listener,
      action: `${request.method} ${request.routeOptions.url ?? ''}`,
      thumbprint: peer.certificate?.thumbprint,
      remoteAddress: peer.remoteAddress,
      traceId: currentTrace()?.traceId,
      latencyMs: performance.now() - startedMs,
    });
  }

  /** Forwarded certificates are believed from nobody but configured proxies. */
  ignoreForwarded(call: Call): void {
    const headers = stripForwardedCertificate(call.request.headers);
    if (headers.length === 0) return;
    for (const header of headers) this.ignoredHeaders.inc({ header });
    const detail = `ignored: ${headers.join(', ')}; the request is judged without`;
    this.record({ decision: 'deny', code: 'auth.client_cert_header_ignored', detail }, call);
  }

  certificateOf(peer: Peer): ClientCertificate | undefined {
    const known = this.certificates.get(peer);
    if (known) return known;
    const certificate = clientCertificate(peer, this.runtime.config.trustDomain);
    if (certificate) this.certificates.set(peer, certificate);
    return certificate;
  }

  /** Of a token that holds by itself, whoever presented it: a stolen one is named in the log. */
  private tokenIdOf({ headers }: FastifyRequest, { listener }: Peer): string | undefined {
    const token = presentedToken(headers.authorization)?.token;
    if (token === undefined) return undefined;
    const nowMs = Date.now();
    const verdict = listener === 'vehicle' ? this.tokens.device(token, nowMs) : this.tokens.operator(token, nowMs);
    return verdict.ok ? verdict.claims.jti : undefined;
  }

  private challengeOf(
    code: ErrorCode,
    scopes: readonly string[],
    stepUp: StepUp,
    request: FastifyRequest,
    peer: Peer,
  ): string | undefined {
    const asked = code.startsWith('auth.dpop_') || presentedToken(request.headers.authorization)?.scheme === 'DPoP';
    if (asked) return dpopChallenge(code, scopes);
    const bearer = challenge(code, scopes, stepUp);
    const both = code === 'auth.token_missing' && peer.listener === 'vehicle' && this.dpop.isOn;
    return both ? `${bearer}, ${dpopChallenge(code, scopes)}` : bearer;
  }
}
