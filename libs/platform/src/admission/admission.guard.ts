import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import {
  type AdmissionDecision,
  type AdmissionRoute,
  admit,
  admitOperator,
  bearerToken,
  type ClientCertificate,
  challenge,
  type DecisionFacts,
  type OperatorDecision,
} from '@outrider/admission';
import { DomainError, type ErrorCode } from '@outrider/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { peerOf } from '../http/listeners.service.js';
import type { Peer } from '../http/peer.js';
import { Metrics } from '../service/metrics.service.js';
import { RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { currentTrace } from '../service/trace.provider.js';
import { AccessTokens } from './access-tokens.service.js';
import { setAdmission, setRecheck } from './admitted.provider.js';
import { clientCertificate } from './client-certificate.js';
import { Decisions } from './decisions.service.js';
import { ADMISSION, type AdmissionRule } from './decorators.provider.js';
import { DenylistFeed } from './denylist-feed.client.js';
import { stripForwardedCertificate } from './forwarded-certificate.js';
import { JwksKeys } from './jwks.client.js';

const STALE_RETRY_SECONDS = 1;

type Refusal = {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly deviceId?: string | undefined;
  readonly subject?: string | undefined;
};

/** Runs admission before every route, by the rule that the route names; without one nobody is admitted. */
@Injectable()
export class AdmissionGuard implements CanActivate {
  private readonly certificates = new WeakMap<Peer, ClientCertificate>();
  private readonly ignoredHeaders;

  constructor(
    private readonly reflector: Reflector,
    private readonly feed: DenylistFeed,
    private readonly tokens: AccessTokens,
    private readonly keys: JwksKeys,
    private readonly decisions: Decisions,
    @Inject(RUNTIME) private readonly runtime: Runtime,
    metrics: Metrics,
  ) {
    this.ignoredHeaders = metrics.counter(
      'outrider_client_cert_headers_ignored_total',
      'Forwarded client certificates from peers that are no configured proxy.',
      ['header'],
    );
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const rule = this.reflector.get<AdmissionRule | undefined>(ADMISSION, context.getHandler());
    if (!rule) throw new Error('a route that says not whom it admits');
    const peer = peerOf(request.raw);
    this.ignoreForwarded(request, peer);
    if (peer.listener === 'http') return true;
    if (rule.kind === 'operator') await this.admitOperator(rule.scope, request, reply, peer);
    else if (peer.listener === 'operator') this.admitAnyOperator(request, reply, peer);
    else await this.admitVehicle(rule, request, reply, peer);
    return true;
  }

  private async admitVehicle(
    rule: Exclude<AdmissionRule, { kind: 'operator' }>,
    request: FastifyRequest,
    reply: FastifyReply,
    peer: Peer,
  ): Promise<void> {
    const route = routeOf(rule);
    let decision = this.decideVehicle(route, request, peer);
    if (decision.decision === 'deny' && decision.unknownKid && (await this.keys.find(decision.unknownKid))) {
      decision = this.decideVehicle(route, request, peer);
    }
    if (decision.decision === 'deny') this.refuse(decision, request, reply, peer, route.scopes);
    const { deviceId, claims, recovery } = decision;
    const { certificate } = peer;
    if (certificate && claims && deviceId) setAdmission(request, { certificate, deviceId, claims, recovery });
    else if (certificate && rule.kind === 'certificate') setAdmission(request, { certificate, deviceId });
    setRecheck(request, () => {
      const again = this.decideVehicle(route, request, peer);
      if (again.decision === 'deny') this.refuse(again, request, reply, peer, route.scopes);
    });
    this.record({ decision: 'allow', code: 'ok', deviceId }, request, peer);
  }

  private decideVehicle(route: AdmissionRoute, request: FastifyRequest, peer: Peer): AdmissionDecision {
    const nowMs = Date.now();
    return admit(
      route,
      {
        certificate: this.certificateOf(peer),
        remoteAddress: peer.remoteAddress,
        bearer: bearerToken(request.headers.authorization),
        pathDevice: (request.params as { device?: string } | undefined)?.device,
      },
      {
        denylist: this.feed,
        feedAgeMs: this.feed.ageMs(),
        freshnessLimits: this.feed.freshnessLimits,
        verifyToken: (compact) => this.tokens.device(compact, nowMs),
        nowMs,
      },
    );
  }

  private async admitOperator(scope: string, request: FastifyRequest, reply: FastifyReply, peer: Peer): Promise<void> {
    let decision = this.decideOperator(scope, request, peer);
    if (decision.decision === 'deny' && decision.unknownKid && (await this.keys.find(decision.unknownKid))) {
      decision = this.decideOperator(scope, request, peer);
    }
    if (decision.decision === 'deny') this.refuse(decision, request, reply, peer, [scope]);
    const { claims } = decision;
    setAdmission(request, { subject: claims.sub, roles: claims.roles, scopes: claims.scope.split(' '), claims });
    this.record({ decision: 'allow', code: 'ok', subject: claims.sub }, request, peer);
  }

  private decideOperator(scope: string, request: FastifyRequest, peer: Peer): OperatorDecision {
    const nowMs = Date.now();
    return admitOperator(
      { scope, bearer: bearerToken(request.headers.authorization), remoteAddress: peer.remoteAddress },
      { denylist: this.feed, verifyToken: (compact) => this.tokens.operator(compact, nowMs), nowMs },
    );
  }

  /** Routes for anyone on an operator listener: only networks are looked at, and staleness closes nothing there. */
  private admitAnyOperator(request: FastifyRequest, reply: FastifyReply, peer: Peer): void {
    const entry = this.feed.match({ remoteAddress: peer.remoteAddress });
    if (entry) this.refuse({ code: 'denylist.network', reason: entry.reason }, request, reply, peer, []);
    this.record({ decision: 'allow', code: 'ok' }, request, peer);
  }

  private refuse(
    { code, reason, deviceId, subject }: Refusal,
    request: FastifyRequest,
    reply: FastifyReply,
    peer: Peer,
    scopes: readonly string[],
  ): never {
    const device = deviceId ?? this.certificateOf(peer)?.deviceId;
    this.record({ decision: 'deny', code, deviceId: device, subject, detail: reason }, request, peer);
    const header = challenge(code, scopes);
    if (header) reply.header('www-authenticate', header);
    if (code.startsWith('denylist.')) reply.header('connection', 'close');
    const retryAfter = code === 'revocation.stale' ? { retryAfterSeconds: STALE_RETRY_SECONDS } : {};
    throw new DomainError(code, { detail: reason, ...retryAfter });
  }

  /** Believed from nobody: no proxy is configured (DESIGN §4). */
  private ignoreForwarded(request: FastifyRequest, peer: Peer): void {
    const headers = stripForwardedCertificate(request.headers);
    if (headers.length === 0) return;
    for (const header of headers) this.ignoredHeaders.inc({ header });
    const detail = `ignored: ${headers.join(', ')}; the request is judged without`;
    this.record({ decision: 'deny', code: 'auth.client_cert_header_ignored', detail }, request, peer);
  }

  private record(
    facts: Pick<DecisionFacts, 'decision' | 'code' | 'subject' | 'detail'> & { deviceId?: string | undefined },
    request: FastifyRequest,
    peer: Peer,
  ): void {
    this.decisions.record({
      ...facts,
      listener: peer.listener,
      action: `${request.method} ${request.routeOptions.url ?? ''}`,
      thumbprint: peer.certificate?.thumbprint,
      remoteAddress: peer.remoteAddress,
      traceId: currentTrace()?.traceId,
    });
  }

  private certificateOf(peer: Peer): ClientCertificate | undefined {
    const known = this.certificates.get(peer);
    if (known) return known;
    const certificate = clientCertificate(peer, this.runtime.config.trustDomain);
    if (certificate) this.certificates.set(peer, certificate);
    return certificate;
  }
}

function routeOf(rule: Exclude<AdmissionRule, { kind: 'operator' }>): AdmissionRoute {
  if (rule.kind === 'token')
    return { require: 'token', scopes: rule.scopes, control: rule.control, recovery: rule.recovery };
  return { require: rule.kind, scopes: [], control: false, recovery: false };
}
