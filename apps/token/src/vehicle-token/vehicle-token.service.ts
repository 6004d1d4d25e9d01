import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { DpopProof } from '@outrider/admission';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { DenylistFeed } from '@outrider/platform/admission';
import { controlTokenRequest, DeviceContexts, Policies } from '@outrider/platform/policy';
import { CONFIG, Metrics } from '@outrider/platform/service';
import type { ParsedCertificate } from '@outrider/x509';
import { CertificateSeenService } from '../certificate-seen/certificate-seen.service.js';
import type { TokenConfig } from '../config.js';
import { DeviceService } from '../device/device.service.js';
import { type TokenAnswer, tokenAnswer } from '../oauth/token-answer.js';
import type { TokenForm } from '../oauth/token-form.js';
import { SigningKeyService } from '../signing-key/signing-key.service.js';
import { authenticateVehicle } from './authenticate-vehicle.js';
import { ControlTokenRepository, type PolicyBasis } from './control-token.repository.js';
import { issueVehicleToken, readVehicleTokenRequest } from './issue-vehicle-token.js';
import { TokenProofs } from './token-proofs.service.js';

const STALE_RETRY_SECONDS = 1;

/** How the request came. `proof`: the token is bound to its key too. `forwarded`: a configured proxy vouches for the certificate. */
export interface Caller {
  readonly remoteAddress: string;
  readonly proof?: DpopProof | undefined;
  readonly forwarded?: boolean;
}

@Injectable()
export class VehicleTokenService {
  private readonly issued;

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
    metrics: Metrics,
  ) {
    this.issued = metrics.counter('outrider_token_issued_total', 'Tokens issued, by family.', ['family']);
  }

  /** `certificate`: validated and not on the denylist, by the admission guard. */
  async issue(form: TokenForm, certificate: ParsedCertificate, caller: Caller): Promise<TokenAnswer> {
    const request = readVehicleTokenRequest(form);
    const { trustDomain, tokenIssuer } = this.config;
    const deviceId = authenticateVehicle(request.clientId, certificate, { trustDomain, nowMs: Date.now() });
    const control = request.grant.family === 'control';
    if (control) this.requireFreshDenylist();
    if (control && caller.forwarded && !caller.proof) throw needsProof();
    const device = await (control ? this.devices.current(deviceId) : this.devices.remembered(deviceId));
    const { thumbprint, notAfter } = certificate;
    const claims = issueVehicleToken(request, {
      issuer: tokenIssuer,
      deviceId,
      device,
      thumbprint,
      jkt: caller.proof?.jkt,
      notAfterMs: notAfter.getTime(),
      nowMs: Date.now(),
      jti: randomUUID(),
    });
    const decision = control ? await this.requireAllowed(deviceId, request.grant.scopes) : undefined;
    if (caller.proof) await this.proofs.useUp(caller.proof);
    if (decision) await this.controlTokens.record(claims, decision, caller.remoteAddress);
    this.certificatesSeen.note({ thumbprint, deviceId, notAfter, seenAt: new Date() });
    this.issued.inc({ family: request.grant.family });
    return tokenAnswer(this.signingKeys.sign(claims), claims);
  }

  /**
   * By the policies in force and what gateway knows of the vehicle; while either is away there is no control token.
   * @throws DomainError `policy.denied`, `policy.unavailable`, `service.upstream_unavailable`
   */
  private async requireAllowed(deviceId: DeviceId, scopes: readonly string[]): Promise<PolicyBasis> {
    const context = await this.contexts.get(deviceId);
    return this.policies.require(controlTokenRequest(deviceId, scopes, context, new Date()));
  }

  /** The guard has let the request through on a denylist good enough for telemetry; control fails closed earlier (DESIGN §4). */
  private requireFreshDenylist(): void {
    if (this.denylist.freshness() === 'fresh') return;
    throw new DomainError('revocation.stale', { retryAfterSeconds: STALE_RETRY_SECONDS });
  }
}

/** A proxy vouches for the certificate alone; control rests on a key that the vehicle itself shows (DESIGN §4). */
function needsProof(): DomainError {
  return new DomainError('token.invalid_dpop_proof', { detail: 'control through a proxy needs a DPoP proof' });
}
