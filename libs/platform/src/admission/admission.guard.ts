import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import {
  type AdmissionDecision,
  type AdmissionRoute,
  admit,
  admitOperator,
  bearerToken,
  connectionSubject,
  type DpopProof,
  denylistCode,
  type OperatorDecision,
  presentedToken,
} from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { peerOf, setPeerBehind } from '../http/listeners.service.js';
import type { Peer } from '../http/peer.js';
import { sendProblem } from '../http/problem.filter.js';
import { AccessTokens } from './access-tokens.service.js';
import { setAdmission, setRecheck } from './admitted.provider.js';
import { Connections } from './connections.service.js';
import { ADMISSION, type AdmissionRule } from './decorators.provider.js';
import { DenylistFeed } from './denylist-feed.client.js';
import { Dpop } from './dpop.service.js';
import { stripForwardedCertificate } from './forwarded-certificate.js';
import { JwksKeys } from './jwks.client.js';
import { OperatorRates } from './operator-rates.service.js';
import { Proxies } from './proxies.service.js';
import { type Call, Refusals } from './refusals.service.js';

type Handler = ReturnType<ExecutionContext['getHandler']>;
type OperatorRule = Extract<AdmissionRule, { kind: 'operator' }>;

/** Runs admission before every route, by the rule that the route names; without one nobody is admitted. What is decided, `Refusals` answers and records. */
@Injectable()
export class AdmissionGuard implements CanActivate {
  private readonly rules = new Map<Handler, AdmissionRule>();

  constructor(
    private readonly reflector: Reflector,
    private readonly feed: DenylistFeed,
    private readonly tokens: AccessTokens,
    private readonly keys: JwksKeys,
    private readonly refusals: Refusals,
    private readonly proxies: Proxies,
    private readonly connections: Connections,
    private readonly dpop: Dpop,
    private readonly rates: OperatorRates,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const rule = this.ruleOf(context.getHandler());
    const connection = peerOf(request.raw);
    const begun = { request, reply, peer: connection, startedMs: performance.now() };
    const call = connection.isProxy ? { ...begun, peer: this.behind(begun) } : begun;
    this.refusals.ignoreForwarded(call);
    const { listener } = call.peer;
    if (listener === 'http') return true;
    if (rule.kind === 'token' || rule.kind === 'operator') this.refuseTokenInQuery(call);
    if (rule.kind === 'operator') await this.admitOperator(rule, call);
    else if (listener === 'operator') this.admitAnyOperator(call);
    else await this.admitVehicle(rule, call);
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

  private async admitVehicle(rule: Exclude<AdmissionRule, { kind: 'operator' }>, call: Call): Promise<void> {
    const { request, peer } = call;
    const route = routeOf(rule);
    let decision = this.decideVehicle(route, call);
    if (decision.decision === 'deny' && decision.unknownKid && (await this.keys.find(decision.unknownKid))) {
      decision = this.decideVehicle(route, call);
    }
    if (decision.decision === 'deny') this.refusals.refuse(decision, call, route.scopes);
    const { deviceId, claims, recovery, proof } = decision;
    if (proof) await this.useUp(proof, deviceId, call);
    const { certificate } = peer;
    if (certificate && claims && deviceId) setAdmission(request, { certificate, deviceId, claims, recovery });
    else if (certificate && rule.kind === 'certificate') setAdmission(request, { certificate, deviceId, recovery });
    setRecheck(request, () => {
      const again = this.decideVehicle(route, call, proof);
      if (again.decision === 'deny') this.refusals.refuse(again, anew(call), route.scopes);
      const { deviceId, claims, recovery } = again;
      if (certificate && claims && deviceId) setAdmission(request, { certificate, deviceId, claims, recovery });
    });
    this.refusals.record({ decision: 'allow', code: 'ok', deviceId, tokenId: claims?.jti }, call);
  }

  /** `used`: the proof that the request was let in with, where it is judged again: its nonce may have grown old since. */
  private decideVehicle(route: AdmissionRoute, { request, peer }: Call, used?: DpopProof): AdmissionDecision {
    const nowMs = Date.now();
    const presented = presentedToken(request.headers.authorization);
    return admit(
      route,
      {
        certificate: this.refusals.certificateOf(peer),
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

  private async admitOperator(rule: OperatorRule, call: Call): Promise<void> {
    let decision = this.decideOperator(rule, call);
    if (decision.decision === 'deny' && decision.unknownKid && (await this.keys.find(decision.unknownKid))) {
      decision = this.decideOperator(rule, call);
    }
    if (decision.decision === 'deny') this.refusals.refuse(decision, call, [rule.scope], rule.stepUp);
    const { claims } = decision;
    const { sub: subject, roles, scope } = claims;
    if (!rule.unlimited) this.count(subject, call);
    setAdmission(call.request, { subject, roles, scopes: scope.split(' '), claims });
    setRecheck(call.request, () => {
      const again = this.decideOperator(rule, call);
      if (again.decision === 'deny') this.refusals.refuse(again, anew(call), [rule.scope], rule.stepUp);
    });
    this.refusals.record({ decision: 'allow', code: 'ok', subject, tokenId: claims.jti }, call);
  }

  /** Against the account's rate; each answer names what is left of it. */
  private count(subject: string, call: Call): void {
    const { headers, refusal } = this.rates.take(subject);
    call.reply.headers(headers);
    if (refusal) this.refusals.refuse({ ...refusal, subject }, call);
  }

  private decideOperator({ scope, stepUp }: OperatorRule, { request, peer }: Call): OperatorDecision {
    const nowMs = Date.now();
    return admitOperator(
      { scope, stepUp, bearer: bearerToken(request.headers.authorization), remoteAddress: peer.remoteAddress },
      { denylist: this.feed, verifyToken: (compact) => this.tokens.operator(compact, nowMs), nowMs },
    );
  }

  /** Routes for anyone on an operator listener: only networks are looked at, and staleness closes nothing there. */
  private admitAnyOperator(call: Call): void {
    const entry = this.feed.match({ remoteAddress: call.peer.remoteAddress });
    if (entry) this.refusals.refuse({ code: 'denylist.network', reason: entry.reason }, call);
    this.refusals.record({ decision: 'allow', code: 'ok' }, call);
  }

  /** RFC 6750 §5.3: addresses end up in logs. Beside a header too: two ways at once are an error (§2). */
  private refuseTokenInQuery(call: Call): void {
    if ((call.request.query as Record<string, unknown> | undefined)?.access_token === undefined) return;
    this.refusals.refuse({ code: 'auth.token_in_query', reason: 'an access token in the query' }, call);
  }

  /** Each proof once, of all replicas, and last of all checks: what is refused anyhow leaves nothing behind. */
  private async useUp(proof: DpopProof, deviceId: string | undefined, call: Call): Promise<void> {
    if (!proof.nonceCurrent) this.dpop.giveNonce(call.reply);
    try {
      await this.dpop.use(proof);
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'auth.dpop_replayed') throw error;
      this.refusals.refuse({ code: error.code, reason: 'a used proof', deviceId }, call);
    }
  }

  /** The vehicle behind a proxy, which has the request to itself from here on: a denylist entry that names it ends the request alone. */
  private behind(call: Call): Peer {
    const { request, reply, peer: proxy } = call;
    const { remoteAddress } = proxy;
    const entry = this.feed.match(
      connectionSubject({ certificate: this.refusals.certificateOf(proxy), remoteAddress }),
    );
    if (entry) this.refusals.refuse({ code: denylistCode(entry.kind), reason: entry.reason }, call);
    let peer: Peer;
    try {
      peer = this.proxies.behind(request, proxy);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      this.refusals.refuse({ code: error.code, reason: error.detail ?? error.title }, call);
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
}

/** A request that is judged again was judged once: how long it has waited since says nothing. */
function anew(call: Call): Call {
  return { ...call, startedMs: performance.now() };
}

function routeOf(rule: Exclude<AdmissionRule, { kind: 'operator' }>): AdmissionRoute {
  if (rule.kind === 'token')
    return { require: 'token', scopes: rule.scopes, control: rule.control, recovery: rule.recovery };
  return { require: rule.kind, scopes: [], control: false, recovery: rule.kind === 'certificate' && rule.recovery };
}
