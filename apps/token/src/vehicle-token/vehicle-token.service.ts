import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { DeviceClaims, DpopProof } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import type { DeviceId, JwtId } from '@outrider/ids';
import { Decisions, DenylistFeed } from '@outrider/platform/admission';
import { controlTokenRequest, DeviceContexts, Policies } from '@outrider/platform/policy';
import { CONFIG, currentTrace, Metrics } from '@outrider/platform/service';
import type { ParsedCertificate } from '@outrider/x509';
import { CertificateSeenService } from '../certificate-seen/certificate-seen.service.js';
import type { TokenConfig } from '../config.js';
import { isForLogs, requireAttested } from '../device/device.js';
import { DeviceService } from '../device/device.service.js';
import { type TokenAnswer, tokenAnswer } from '../oauth/token-answer.js';
import { required, type TokenForm } from '../oauth/token-form.js';
import type { RefreshHolder } from '../refresh/decide-refresh.js';
import { RefreshTokens } from '../refresh/refresh-tokens.service.js';
import { SigningKeyService } from '../signing-key/signing-key.service.js';
import { authenticateVehicle } from './authenticate-vehicle.js';
import { ControlTokenRepository, type PolicyBasis } from './control-token.repository.js';
import {
  issueVehicleToken,
  readRefreshRequest,
  readVehicleTokenRequest,
  type VehicleTokenRequest,
} from './issue-vehicle-token.js';
import { type ScopeCatalogue, type ScopeFamily, scopeCatalogue } from './scope.js';
import { TokenProofs } from './token-proofs.service.js';

const STALE_RETRY_SECONDS = 1;

/** How the request came. `proof`: the token is bound to its key too. `forwarded`: a configured proxy vouches for the certificate. */
export interface Caller {
  readonly remoteAddress: string;
  readonly proof?: DpopProof | undefined;
  readonly forwarded?: boolean;
  /** It is on the denylist in recovery mode: it may have what recovery commands need, and nothing else. */
  readonly recovery?: boolean;
}

@Injectable()
export class VehicleTokenService {
  private readonly issued: Readonly<Record<ScopeFamily, { inc(): void }>>;
  private readonly catalogue: ScopeCatalogue;

  constructor(
    @Inject(CONFIG) private readonly config: TokenConfig,
    private readonly denylist: DenylistFeed,
    private readonly devices: DeviceService,
    private readonly contexts: DeviceContexts,
    private readonly policies: Policies,
    private readonly controlTokens: ControlTokenRepository,
    private readonly certificatesSeen: CertificateSeenService,
    private readonly signingKeys: SigningKeyService,
    private readonly proofs: TokenProofs,
    private readonly refreshTokens: RefreshTokens,
    private readonly decisions: Decisions,
    metrics: Metrics,
  ) {
    const issued = metrics.counter('outrider_token_issued_total', 'Tokens issued, by family.', ['family']);
    this.issued = {
      telemetry: issued.labels('telemetry'),
      control: issued.labels('control'),
      api: issued.labels('api'),
    };
    this.catalogue = scopeCatalogue(config.apis);
  }

  /** `certificate`: validated and not on the denylist, by the admission guard. */
  async issue(form: TokenForm, certificate: ParsedCertificate, caller: Caller): Promise<TokenAnswer> {
    const refreshing = form.get('grant_type') === 'refresh_token';
    const request = refreshing
      ? await this.readRefresh(form, certificate, caller)
      : readVehicleTokenRequest(form, this.catalogue);
    const { tokenIssuer } = this.config;
    const deviceId = this.authenticate(request.clientId, certificate);
    const control = request.grant.family === 'control';
    if (caller.recovery && (!(control || isForLogs(request.grant.scopes)) || refreshing || request.offline))
      throw this.onlyRecovery(deviceId, certificate, caller);
    if (control) this.requireFreshDenylist();
    if (control && caller.forwarded && !caller.proof) throw needsProof();
    const exactly = control || refreshing || request.offline;
    const device = await (exactly ? this.devices.current(deviceId) : this.devices.remembered(deviceId));
    if (refreshing) requireAttested(device, 'token.invalid_grant');
    else if (request.offline) requireAttested(device, 'token.invalid_scope');
    const { thumbprint, notAfter } = certificate;
    const claims = issueVehicleToken(request, {
      issuer: tokenIssuer,
      deviceId,
      device,
      thumbprint,
      jkt: caller.proof?.jkt,
      notAfterMs: notAfter.getTime(),
      nowMs: Date.now(),
      jti: randomUUID() as string as JwtId,
    });
    const decision = control ? await this.requireAllowed(deviceId, request.grant.scopes) : undefined;
    if (caller.proof) await this.proofs.useUp(caller.proof);
    if (decision) await this.controlTokens.record(claims, decision, caller.remoteAddress);
    const refreshToken = await this.nextRefreshToken(form, request, claims);
    this.certificatesSeen.note({ thumbprint, deviceId, notAfter, seenAt: new Date() });
    this.issued[request.grant.family].inc();
    return tokenAnswer(this.signingKeys.sign(claims), claims, refreshToken);
  }

  /** @throws DomainError `token.invalid_grant`, having ended the family where the token was used before */
  private async readRefresh(
    form: TokenForm,
    certificate: ParsedCertificate,
    caller: Caller,
  ): Promise<VehicleTokenRequest> {
    const token = required(form, 'refresh_token');
    const deviceId = this.authenticate(required(form, 'client_id'), certificate);
    const holder = { deviceId, thumbprint: certificate.thumbprint, jkt: caller.proof?.jkt };
    return readRefreshRequest(form, await this.refreshTokens.scopeOf(token, holder, new Date()), this.catalogue);
  }

  /** Last of all, since a refresh token serves once. */
  private async nextRefreshToken(
    form: TokenForm,
    { offline }: VehicleTokenRequest,
    claims: DeviceClaims,
  ): Promise<string | undefined> {
    const { 'x5t#S256': thumbprint, jkt } = claims.cnf;
    const holder: RefreshHolder = { deviceId: claims.sub, thumbprint, jkt };
    if (offline) return this.refreshTokens.begin(holder, claims, new Date());
    const token = form.get('grant_type') === 'refresh_token' ? form.get('refresh_token') : undefined;
    return token === undefined ? undefined : this.refreshTokens.rotate(token, holder, claims, new Date());
  }

  private authenticate(clientId: string, certificate: ParsedCertificate): DeviceId {
    return authenticateVehicle(clientId, certificate, { trustDomain: this.config.trustDomain, nowMs: Date.now() });
  }

  /**
   * By the policies in force and what gateway knows of the vehicle; while either is away there is no control token.
   * @throws DomainError `policy.denied`, `policy.unavailable`, `service.upstream_unavailable`
   */
  private async requireAllowed(deviceId: DeviceId, scopes: readonly string[]): Promise<PolicyBasis> {
    const context = await this.contexts.get(deviceId);
    return this.policies.require(controlTokenRequest(deviceId, scopes, context, new Date()));
  }

  /** As the guard would have refused it: it let a device in recovery mode through for recovery commands and logs alone. */
  private onlyRecovery(deviceId: DeviceId, { thumbprint }: ParsedCertificate, { remoteAddress }: Caller): DomainError {
    const code = 'denylist.device';
    const detail = 'only tokens for recovery commands and for logs are open';
    const facts = { deviceId, thumbprint, remoteAddress, detail, traceId: currentTrace()?.traceId };
    this.decisions.record({ decision: 'deny', code, listener: 'vehicle', action: 'POST /oauth2/token', ...facts });
    return new DomainError(code, { detail });
  }

  /** The guard has let the request through on a denylist good enough for telemetry; control fails closed earlier. */
  private requireFreshDenylist(): void {
    if (this.denylist.freshness() === 'fresh') return;
    throw new DomainError('revocation.stale', { retryAfterSeconds: STALE_RETRY_SECONDS });
  }
}

/** A proxy vouches for the certificate alone; control rests on a key that the vehicle itself shows. */
function needsProof(): DomainError {
  return new DomainError('token.invalid_dpop_proof', { detail: 'control through a proxy needs a DPoP proof' });
}
