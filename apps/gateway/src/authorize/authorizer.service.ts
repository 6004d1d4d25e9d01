import { Inject, Injectable } from '@nestjs/common';
import {
  type DpopProof,
  dpopNonce,
  type NonceKey,
  parseNetwork,
  presentedToken,
  verifyDpopProof,
} from '@outrider/admission';
import { DomainError, type ErrorCode } from '@outrider/errors';
import {
  AccessTokens,
  Decisions,
  DenylistFeed,
  DpopProofRepository,
  JwksKeys,
  nonceKeyOf,
} from '@outrider/platform/admission';
import type { Peer } from '@outrider/platform/http';
import { CONFIG, TrustFiles } from '@outrider/platform/service';
import type { Config } from '../config.js';
import type { Refusal } from './answer.js';
import { Apis } from './apis.store.js';
import { type Authorization, authorize, type OriginalCaller } from './authorize.js';
import { EdgeCallers } from './edge-callers.service.js';
import { EdgeLimits } from './edge-limits.service.js';
import type { EdgeQuestion } from './edge-question.js';
import { type Identity, identityOf } from './identity.js';
import { Manufacturers } from './manufacturers.service.js';
import { networkOf } from './network.js';

const STALE_RETRY_SECONDS = 1;
const TRACEPARENT = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;
const KNOWN_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** `nonce`: for the client's next DPoP proof, where one is to be handed out. */
export type EdgeVerdict =
  | { readonly decision: 'allow'; readonly identity: Identity; readonly nonce: string | undefined }
  | ({ readonly decision: 'deny' } & Refusal);

/** Answers edges: loads, decides, uses a proof up, records. */
@Injectable()
export class Authorizer {
  constructor(
    private readonly apis: Apis,
    private readonly callers: EdgeCallers,
    private readonly limits: EdgeLimits,
    private readonly manufacturers: Manufacturers,
    private readonly feed: DenylistFeed,
    private readonly tokens: AccessTokens,
    private readonly keys: JwksKeys,
    private readonly proofs: DpopProofRepository,
    private readonly decisions: Decisions,
    private readonly trustFiles: TrustFiles,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    // A file without a key keeps the service from starting.
    void this.nonceKey;
  }

  private get nonceKey(): NonceKey | undefined {
    const file = this.config.authorization?.dpopNonceKeyFile;
    return file === undefined ? undefined : nonceKeyOf(this.trustFiles, file, 'gateway');
  }

  /** Never throws for what a stranger said; a bug, or a database that is away under a DPoP proof, does, and the edge takes that for a refusal. */
  async decide(question: EdgeQuestion, edge: Peer): Promise<EdgeVerdict> {
    const startedMs = performance.now();
    const { remoteAddress = edge.remoteAddress } = question;
    if (!parseNetwork(remoteAddress)) {
      const told = { code: 'gateway.edge_request_invalid', reason: 'no address of the client' } as const;
      return this.refuse(told, question, { certificate: undefined, remoteAddress: edge.remoteAddress }, startedMs);
    }
    const waitSeconds = this.limits.take('network', networkOf(remoteAddress));
    let caller: OriginalCaller = { certificate: undefined, remoteAddress };
    if (waitSeconds !== undefined) return this.refuse(tooMany('network', waitSeconds), question, caller, startedMs);
    try {
      caller = { certificate: this.callers.certificate(question.shown, edge), remoteAddress };
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      return this.refuse({ code: error.code, reason: error.detail ?? error.title }, question, caller, startedMs);
    }
    let decided = this.authorize(question, caller);
    if (decided.decision === 'deny' && decided.unknownKid && (await this.keys.find(decided.unknownKid)))
      decided = this.authorize(question, caller);
    if (decided.decision === 'deny') return this.refuse(decided, question, caller, startedMs, decided);
    const limited = decided.deviceId === undefined ? undefined : await this.limit(decided.deviceId);
    if (limited) return this.refuse(limited, question, caller, startedMs, decided);
    if (decided.proof && !(await this.proofs.use(decided.proof)))
      return this.refuse({ code: 'auth.dpop_replayed', reason: 'a used proof' }, question, caller, startedMs, decided);
    this.record({ decision: 'allow', code: 'ok' }, question, caller, startedMs, decided);
    const { certificate } = caller;
    return {
      decision: 'allow',
      identity: identityOf(decided, certificate?.thumbprint),
      nonce: this.nonceAfter(decided.proof),
    };
  }

  private authorize({ request }: EdgeQuestion, caller: OriginalCaller): Authorization {
    const nowMs = Date.now();
    const { nonceKey } = this;
    return authorize(request, caller, {
      apis: this.apis.byHost,
      denylist: this.feed,
      feedAgeMs: this.feed.ageMs(),
      freshnessLimits: this.feed.freshnessLimits,
      verifyToken: (audience, compact) => this.tokens.deviceFor(audience, compact, nowMs),
      ...(nonceKey
        ? {
            verifyProof: (urls, accessToken) =>
              verifyDpopProof(request.dpop, { method: request.method, urls, accessToken, nonceKey, nowMs }),
          }
        : {}),
      nowMs,
    });
  }

  private async limit(deviceId: string): Promise<Told | undefined> {
    const ofDevice = this.limits.take('device', deviceId);
    if (ofDevice !== undefined) return tooMany('device', ofDevice);
    const known = this.manufacturers.known(deviceId);
    const manufacturer = known === undefined ? await this.manufacturers.find(deviceId) : known;
    const ofAll = manufacturer === null ? undefined : this.limits.take('manufacturer', manufacturer);
    return ofAll === undefined ? undefined : tooMany('manufacturer', ofAll);
  }

  private refuse(
    told: Told,
    question: EdgeQuestion,
    caller: OriginalCaller,
    startedMs: number,
    decided?: Authorization,
  ): EdgeVerdict {
    const { code, reason } = told;
    const deviceId = told.deviceId ?? caller.certificate?.deviceId;
    this.record({ decision: 'deny', code, detail: reason, deviceId }, question, caller, startedMs, decided);
    const rule = decided?.rule;
    return {
      decision: 'deny',
      code,
      reason,
      presented: presentedToken(question.request.authorization)?.scheme,
      scopes: rule?.admit === 'token' ? rule.scopes : [],
      takesDpop: this.nonceKey !== undefined,
      nonce: code.startsWith('auth.dpop_') ? this.nonce() : undefined,
      retryAfterSeconds: code === 'revocation.stale' ? STALE_RETRY_SECONDS : told.waitSeconds,
    };
  }

  private record(
    facts: { decision: 'allow' | 'deny'; code: string; detail?: string; deviceId?: string | undefined },
    { request, traceparent }: EdgeQuestion,
    { certificate, remoteAddress }: OriginalCaller,
    startedMs: number,
    decided?: Authorization,
  ): void {
    const allowed = decided?.decision === 'allow' ? decided : undefined;
    const method = KNOWN_METHODS.has(request.method) ? request.method : 'another method';
    const { api, rule } = decided ?? {};
    this.decisions.record({
      ...facts,
      deviceId: facts.deviceId ?? allowed?.deviceId,
      listener: 'vehicle',
      action: `${method} ${api?.name ?? 'no API'}:${rule?.path ?? ''}`,
      thumbprint: certificate?.thumbprint,
      tokenId: allowed?.claims?.jti,
      remoteAddress,
      traceId: TRACEPARENT.exec(traceparent ?? '')?.[1],
      latencyMs: performance.now() - startedMs,
    });
  }

  private nonceAfter(proof: DpopProof | undefined): string | undefined {
    return proof && !proof.nonceCurrent ? this.nonce() : undefined;
  }

  private nonce(): string | undefined {
    const { nonceKey } = this;
    return nonceKey && dpopNonce(nonceKey, Date.now());
  }
}

interface Told {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly deviceId?: string | undefined;
  readonly waitSeconds?: number;
}

function tooMany(limit: string, waitSeconds: number): Told {
  return { code: 'request.too_many', reason: `the limit of a ${limit}`, waitSeconds };
}
