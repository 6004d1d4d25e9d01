import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { renewalSubject, type ServiceCertificateRequest, serviceCertificateRenew } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { Service } from '@outrider/ids';
import { createCertificationRequest, crossPath, OID, type ParsedCertificate, parseCertificate } from '@outrider/x509';
import { Metrics } from '../service/metrics.service.js';
import { Readiness } from '../service/readiness.service.js';
import { checkWritable, writeIdentity } from '../service/renewed-identity.store.js';
import { LOGGER, type Logger, RUNTIME, type Runtime } from '../service/runtime.provider.js';
import { Schedule } from '../service/schedule.service.js';
import { TrustFiles } from '../service/trust-files.service.js';
import { flawOf, identityState } from './identity-due.js';
import { Nats } from './nats.client.js';
import { ServiceIdentity } from './service-identity.provider.js';

const LOOK_EVERY_MS = 10_000;
/** After a failure; doubled with each further one, up to the second. */
const RETRY_MS = 10_000;
const MAX_RETRY_MS = 300_000;
const TIMEOUT_MS = 5_000;

/** Asked again with, until there is an answer: the same request gets the same certificate. */
interface Attempt {
  readonly present: string;
  readonly requestId: string;
  readonly csr: string;
  readonly privateKey: KeyObject;
  readonly spki: Uint8Array;
}

/** DER in base64. */
export interface RenewalAnswer {
  readonly certificate: string;
  readonly issuer: string;
}

/**
 * Where the configuration says `identity.renewal: self`: has this service's certificate renewed at two thirds of its life, each time for a
 * new key, and keeps the two in one file of the state directory. Listeners and requests take them up from there like any other change.
 */
@Injectable()
export class IdentityRenewal implements OnApplicationBootstrap {
  private readonly renewals;
  private failures = 0;
  private retryAtMs = 0;
  private complaint: string | undefined;
  private attempt: Attempt | undefined;
  private ask: (request: string) => Promise<RenewalAnswer>;

  constructor(
    @Inject(RUNTIME) private readonly runtime: Runtime,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly identity: ServiceIdentity,
    private readonly trust: TrustFiles,
    private readonly schedule: Schedule,
    nats: Nats,
    readiness: Readiness,
    metrics: Metrics,
  ) {
    const { service } = runtime;
    this.ask = (request) => nats.request(serviceCertificateRenew(service), { request }, { timeoutMs: TIMEOUT_MS });
    this.renewals = metrics.counter('outrider_identity_renewals_total', "Renewals of this service's own certificate.", [
      'result',
    ]);
    readiness.add('identity', () => this.standing(new Date()));
  }

  /** For who answers such requests: it asks itself. */
  answeredBy(ask: (request: string) => Promise<RenewalAnswer>): void {
    this.ask = ask;
  }

  onApplicationBootstrap(): void {
    if (this.runtime.config.identity.renewal !== 'self') return;
    for (const result of ['renewed', 'failed']) this.renewals.inc({ result }, 0);
    this.schedule.every(LOOK_EVERY_MS, 'the own certificate could not be looked at', () => this.look(new Date()))();
  }

  /** A round: renews what is due, and sees to the chain. */
  async look(now: Date): Promise<void> {
    if (!this.isDue(now)) return this.followRoots();
    if (performance.now() < this.retryAtMs) return;
    try {
      await this.renew(now);
      this.failures = 0;
      this.complaint = undefined;
      this.renewals.inc({ result: 'renewed' });
    } catch (error) {
      this.failures += 1;
      this.retryAtMs = performance.now() + Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** (this.failures - 1));
      this.complaint = error instanceof DomainError ? `${error.code} ${error.detail ?? ''}` : (error as Error).message;
      this.renewals.inc({ result: 'failed' });
      this.logger.error(
        { err: error, notAfter: this.identity.certificate.notAfter },
        'the own certificate is not renewed yet',
      );
    }
  }

  private isDue(now: Date): boolean {
    const { certificate } = this.identity;
    const [active] = this.trust.infrastructureCa;
    return identityState(certificate, now) !== 'good' || certificate.authorityKeyId !== active?.subjectKeyId;
  }

  private async renew(now: Date): Promise<void> {
    const { service, config } = this.runtime;
    const present = this.identity.certificate;
    checkWritable(config.identity.stateDirectory as string);
    if (this.attempt?.present !== present.thumbprint) this.attempt = newAttempt(service, present);
    const { requestId, csr, privateKey, spki } = this.attempt;
    const iat = Math.floor(now.getTime() / 1000);
    const request: ServiceCertificateRequest = { aud: renewalSubject(service), iat, requestId, csr };
    const reply = await this.asked(this.identity.signRequest(request));
    const renewed = parseCertificate(reply.certificate);
    // One that is over would be answered for ever.
    if (renewed.notAfter <= now) this.attempt = undefined;
    const flaw = flawOf(renewed, present, spki, this.trust.infrastructureCa, now);
    if (flaw)
      throw new DomainError('service.upstream_invalid', { detail: `fleet-ca sent another certificate: ${flaw}` });
    this.keep(privateKey, [renewed, ...this.above(renewed)]);
    const { serialNumber, notAfter } = renewed;
    this.logger.info({ serialNumber, notAfter, from: present.serialNumber }, 'the own certificate is renewed');
    if (this.identity.certificate.thumbprint !== renewed.thumbprint)
      throw new Error(`${config.identity.stateDirectory} does not give back what was written there`);
    this.attempt = undefined;
  }

  /** A request that was refused for what it is will not do better the next time, another one may. Who asks is the same with any. */
  private async asked(request: string): Promise<RenewalAnswer> {
    try {
      return await this.ask(request);
    } catch (error) {
      const isFinal = error instanceof DomainError && error.status < 500 && error.code !== 'ca.requester_refused';
      if (isFinal) this.attempt = undefined;
      throw error;
    }
  }

  /** During a root rollover cross certificates join the chain, or leave it: of what lies in the state directory nobody else sees to that. */
  private followRoots(): void {
    const { renewed } = this.trust;
    if (!renewed) return;
    const [leaf, ...rest] = renewed.chain as [ParsedCertificate, ...ParsedCertificate[]];
    const above = this.above(leaf);
    const isSame =
      rest.length === above.length && rest.every(({ thumbprint }, i) => thumbprint === above[i]?.thumbprint);
    if (!isSame) this.keep(renewed.privateKey, [leaf, ...above]);
  }

  private above({ authorityKeyId }: ParsedCertificate): ParsedCertificate[] {
    const issuer = this.trust.infrastructureCa.find(({ subjectKeyId }) => subjectKeyId === authorityKeyId);
    return issuer ? [issuer, ...crossPath(issuer, this.trust.rootCrossCertificates)] : [];
  }

  private keep(privateKey: KeyObject, chain: readonly ParsedCertificate[]): void {
    writeIdentity(this.runtime.config.identity.stateDirectory as string, privateKey, chain);
    this.trust.look();
  }

  private standing(now: Date): { ok: boolean; detail: unknown } {
    const { certificate } = this.identity;
    const { renewal } = this.runtime.config.identity;
    const state = identityState(certificate, now);
    const close = state === 'good' ? {} : { state, ...(this.complaint ? { failed: this.complaint } : {}) };
    return { ok: state !== 'over', detail: { renewal, notAfter: certificate.notAfter.toISOString(), ...close } };
  }
}

function newAttempt(service: Service, present: ParsedCertificate): Attempt {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = [{ type: OID.commonName, value: service }];
  return {
    present: present.thumbprint,
    requestId: randomUUID(),
    csr: Buffer.from(createCertificationRequest({ subject, privateKey, publicKey })).toString('base64'),
    privateKey,
    spki: publicKey.export({ type: 'spki', format: 'der' }),
  };
}
