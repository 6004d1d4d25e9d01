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
  connectionSubject,
  type DecisionFacts,
  type DpopProof,
  denylistCode,
  dpopChallenge,
  type OperatorDecision,
  presentedToken,
  type StepUp,
} from '@outrider/admission';
import { DomainError, type ErrorCode } from '@outrider/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { peerOf, setPeerBehind } from '../http/listeners.service.js';
import type { Peer } from '../http/peer.js';
import { sendProblem } from '../http/problem.filter.js';
import { Metrics } from '../service/metrics.service.js';
import { RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { currentTrace } from '../service/trace.provider.js';
import { AccessTokens } from './access-tokens.service.js';
import { setAdmission, setRecheck } from './admitted.provider.js';
import { clientCertificate } from './client-certificate.js';
import { Connections } from './connections.service.js';
import { Decisions } from './decisions.service.js';
import { ADMISSION, type AdmissionRule } from './decorators.provider.js';
import { DenylistFeed } from './denylist-feed.client.js';
import { Dpop } from './dpop.service.js';
import { stripForwardedCertificate } from './forwarded-certificate.js';
import { JwksKeys } from './jwks.client.js';
import { Proxies } from './proxies.service.js';
import { ResourceMetadata } from './resource-metadata.service.js';

const STALE_RETRY_SECONDS = 1;

type Handler = ReturnType<ExecutionContext['getHandler']>;
type OperatorRule = Extract<AdmissionRule, { kind: 'operator' }>;

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
  private readonly rules = new Map<Handler, AdmissionRule>();
  private readonly ignoredHeaders;

  constructor(
    private readonly reflector: Reflector,
    private readonly feed: DenylistFeed,
    private readonly tokens: AccessTokens,
    private readonly keys: JwksKeys,
    private readonly decisions: Decisions,
    private readonly proxies: Proxies,
    private readonly connections: Connections,
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

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const rule = this.ruleOf(context.getHandler());
    const connection = peerOf(request.raw);
    const peer = connection.isProxy ? this.behind(connection, request, reply) : connection;
    this.ignoreForwarded(request, peer);
    if (peer.listener === 'http') return true;
    if (rule.kind === 'token' || rule.kind === 'operator') this.refuseTokenInQuery(request, reply, peer);
    if (rule.kind === 'operator') await this.admitOperator(rule, request, reply, peer);
    else if (peer.listener === 'operator') this.admitAnyOperator(request, reply, peer);
    else await this.admitVehicle(rule, request, reply, peer);
    return true;
  }

  /** Read once a route: a lookup of metadata costs more than the rest of the guard's own work. */
  private ruleOf(handler: Handler): AdmissionRule {
    const known = this.rules.get(handler);
    if (known) return known;
    const rule = this.reflector.get<AdmissionRule | undefined>(ADMISSION, handler);
    if (!rule) throw new Error('a route that says not whom it admits');
    this.rules.set(handler, rule);
    return rule;
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
    const { deviceId, claims, recovery, proof } = decision;
    if (proof) await this.useUp(proof, deviceId, request, reply, peer);
    const { certificate } = peer;
    if (certificate && claims && deviceId) setAdmission(request, { certificate, deviceId, claims, recovery });
    else if (certificate && rule.kind === 'certificate') setAdmission(request, { certificate, deviceId, recovery });
    setRecheck(request, () => {
      const again = this.decideVehicle(route, request, peer, proof);
      if (again.decision === 'deny') this.refuse(again, request, reply, peer, route.scopes);
      const { deviceId, claims, recovery } = again;
      if (certificate && claims && deviceId) setAdmission(request, { certificate, deviceId, claims, recovery });
    });
    this.record({ decision: 'allow', code: 'ok', deviceId }, request, peer);
  }

  /** `used`: the proof that the request was let in with, where it is judged again: its nonce may have grown old since. */
  private decideVehicle(
    route: AdmissionRoute,
    request: FastifyRequest,
    peer: Peer,
    used?: DpopProof,
  ): AdmissionDecision {
    const nowMs = Date.now();
    const presented = presentedToken(request.headers.authorization);
    return admit(
      route,
      {
        certificate: this.certificateOf(peer),
        remoteAddress: peer.remoteAddress,
        forwarded: peer.via !== undefined,
        bearer: presented?.token,
        scheme: presented?.scheme,
        pathDevice: (request.params as { device?: string } | undefined)?.device,
      },
      {
        denylist: this.feed,
        feedAgeMs: this.feed.ageMs(),
        freshnessLimits: this.feed.freshnessLimits,
        verifyToken: (compact) => this.tokens.device(compact, nowMs),
        ...(this.dpop.isOn
          ? { verifyProof: (token) => (used ? { ok: true, proof: used } : this.dpop.verify(request, token)!) }
          : {}),
        nowMs,
      },
    );
  }

  private async admitOperator(
    rule: OperatorRule,
    request: FastifyRequest,
    reply: FastifyReply,
    peer: Peer,
  ): Promise<void> {
    let decision = this.decideOperator(rule, request, peer);
    if (decision.decision === 'deny' && decision.unknownKid && (await this.keys.find(decision.unknownKid))) {
      decision = this.decideOperator(rule, request, peer);
    }
    if (decision.decision === 'deny') this.refuse(decision, request, reply, peer, [rule.scope], rule.stepUp);
    const { claims } = decision;
    setAdmission(request, { subject: claims.sub, roles: claims.roles, scopes: claims.scope.split(' '), claims });
    setRecheck(request, () => {
      const again = this.decideOperator(rule, request, peer);
      if (again.decision === 'deny') this.refuse(again, request, reply, peer, [rule.scope], rule.stepUp);
    });
    this.record({ decision: 'allow', code: 'ok', subject: claims.sub }, request, peer);
  }

  private decideOperator({ scope, stepUp }: OperatorRule, request: FastifyRequest, peer: Peer): OperatorDecision {
    const nowMs = Date.now();
    return admitOperator(
      { scope, stepUp, bearer: bearerToken(request.headers.authorization), remoteAddress: peer.remoteAddress },
      { denylist: this.feed, verifyToken: (compact) => this.tokens.operator(compact, nowMs), nowMs },
    );
  }

  /** Routes for anyone on an operator listener: only networks are looked at, and staleness closes nothing there. */
  private admitAnyOperator(request: FastifyRequest, reply: FastifyReply, peer: Peer): void {
    const entry = this.feed.match({ remoteAddress: peer.remoteAddress });
    if (entry) this.refuse({ code: 'denylist.network', reason: entry.reason }, request, reply, peer, []);
    this.record({ decision: 'allow', code: 'ok' }, request, peer);
  }

  /** RFC 6750 §5.3: addresses end up in logs. Beside a header too: two ways at once are an error (§2). */
  private refuseTokenInQuery(request: FastifyRequest, reply: FastifyReply, peer: Peer): void {
    if ((request.query as Record<string, unknown> | undefined)?.access_token === undefined) return;
    this.refuse({ code: 'auth.token_in_query', reason: 'an access token in the query' }, request, reply, peer, []);
  }

  private refuse(
    { code, reason, deviceId, subject }: Refusal,
    request: FastifyRequest,
    reply: FastifyReply,
    peer: Peer,
    scopes: readonly string[],
    stepUp: StepUp = {},
  ): never {
    const device = deviceId ?? this.certificateOf(peer)?.deviceId;
    this.record({ decision: 'deny', code, deviceId: device, subject, detail: reason }, request, peer);
    const header = this.challengeOf(code, scopes, stepUp, request, peer);
    if (header) {
      reply.header('www-authenticate', peer.listener === 'vehicle' ? this.resource.pointTo(header) : header);
    }
    if (code.startsWith('auth.dpop_')) this.dpop.giveNonce(reply);
    // A proxy's connection is other vehicles' too.
    if (code.startsWith('denylist.') && !peer.via) reply.header('connection', 'close');
    const retryAfter = code === 'revocation.stale' ? { retryAfterSeconds: STALE_RETRY_SECONDS } : {};
    throw new DomainError(code, { detail: reason, ...retryAfter });
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

  /** Each proof once, of all replicas, and last of all checks: what is refused anyhow leaves nothing behind. */
  private async useUp(
    proof: DpopProof,
    deviceId: string | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
    peer: Peer,
  ): Promise<void> {
    if (!proof.nonceCurrent) this.dpop.giveNonce(reply);
    try {
      await this.dpop.use(proof);
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'auth.dpop_replayed') throw error;
      this.refuse({ code: error.code, reason: 'a used proof', deviceId }, request, reply, peer, []);
    }
  }

  /** The vehicle behind a proxy, which has the request to itself from here on: a denylist entry that names it ends the request alone. */
  private behind(proxy: Peer, request: FastifyRequest, reply: FastifyReply): Peer {
    const { remoteAddress } = proxy;
    const entry = this.feed.match(connectionSubject({ certificate: this.certificateOf(proxy), remoteAddress }));
    if (entry) {
      this.refuse({ code: denylistCode(entry.kind), reason: entry.reason }, request, reply, proxy, []);
    }
    let peer: Peer;
    try {
      peer = this.proxies.behind(request, proxy);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      this.refuse({ code: error.code, reason: error.detail ?? error.title }, request, reply, proxy, []);
    }
    stripForwardedCertificate(request.headers);
    setPeerBehind(request.raw, peer);
    const forget = this.connections.addRequest(peer, () => {
      if (reply.sent || reply.raw.headersSent) reply.raw.destroy();
      else sendProblem(reply, new DomainError('denylist.device', { detail: 'taken out of service meanwhile' }));
    });
    reply.raw.once('close', forget);
    return peer;
  }

  /** Believed from nobody but configured proxies (DESIGN §4). */
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
  return { require: rule.kind, scopes: [], control: false, recovery: rule.kind === 'certificate' && rule.recovery };
}
