import { Inject, Injectable } from '@nestjs/common';
import { vehicleCertificateGet } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { DenylistFeed } from '@outrider/platform/admission';
import { Nats } from '@outrider/platform/nats';
import { CONFIG, TrustFiles } from '@outrider/platform/service';
import type { ParsedCertificate } from '@outrider/x509';
import { LRUCache } from 'lru-cache';
import type { z } from 'zod';
import type { Config } from '../config.js';
import type { CertificateStanding } from './may-have-signed.js';
import {
  checkSigner,
  describe,
  type PastCertificate,
  type SigningCertificate,
  toPastCertificate,
  toSigningCertificate,
} from './signing-certificate.js';

type CertificateReply = z.output<typeof vehicleCertificateGet.reply>;

const MAX_CERTIFICATES = 50_000;
/** How long a `kid` that provisioning does not know is not asked for again. */
const UNKNOWN_TTL_MS = 1_000;
const MAX_UNKNOWN = 10_000;
const RETRY_AFTER_SECONDS = 1;

/** The keys that vehicles sign with, by thumbprint: the connection's own, or one asked of provisioning once. */
@Injectable()
export class SigningCertificates {
  private readonly known = new LRUCache<Thumbprint, SigningCertificate>({ max: MAX_CERTIFICATES });
  private readonly unknown = new LRUCache<Thumbprint, DomainError>({ max: MAX_UNKNOWN, ttl: UNKNOWN_TTL_MS });
  private readonly asking = new Map<Thumbprint, Promise<SigningCertificate>>();

  constructor(
    private readonly nats: Nats,
    private readonly denylist: DenylistFeed,
    private readonly trust: TrustFiles,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    // What an authority that went away had vouched for is asked about again.
    trust.events.on('changed', () => this.known.clear());
  }

  /** Of the connection itself: admission has checked it for this request. */
  ofConnection(certificate: ParsedCertificate, deviceId: DeviceId): SigningCertificate {
    const known = this.known.get(certificate.thumbprint);
    if (known) return known;
    const own = describe(certificate, deviceId);
    this.known.set(own.thumbprint, own);
    return own;
  }

  /**
   * By `kid`, for a message of `deviceId`; one query at a time for each kid, whoever asks.
   * @throws DomainError `telemetry.unknown_kid` (retryable) when provisioning does not know it or does not answer; `checkSigner`'s
   */
  async byKid(kid: Thumbprint, deviceId: DeviceId): Promise<SigningCertificate> {
    const signer = this.known.get(kid) ?? (await this.ask(kid));
    const nowMs = Date.now();
    checkSigner(signer, deviceId, { denied: this.denylist.match(signer.subject, nowMs) !== undefined, nowMs });
    return signer;
  }

  /**
   * One that may be out of service by now, with how it stands: for what was signed in the past, on `mayHaveSigned`'s terms. Always asked
   * of provisioning, since how it stands changes.
   * @throws DomainError `telemetry.unknown_kid` (retryable), `telemetry.wrong_device`, `telemetry.bad_signature` for one that is no vehicle's
   */
  async ofPast(kid: Thumbprint, deviceId: DeviceId): Promise<PastCertificate & { standing: CertificateStanding }> {
    try {
      const found = await this.nats.request(vehicleCertificateGet, { thumbprint: kid });
      const anchors = { vehicleCas: this.trust.vehicleCa, trustDomain: this.config.trustDomain };
      const past = toPastCertificate(Buffer.from(found.certificate, 'base64'), kid, deviceId, anchors);
      return { ...past, standing: standingOf(found) };
    } catch (error) {
      throw toRefusal(error);
    }
  }

  private ask(kid: Thumbprint): Promise<SigningCertificate> {
    const refused = this.unknown.get(kid);
    if (refused) return Promise.reject(refused);
    const asked = this.asking.get(kid);
    if (asked) return asked;
    const asking = this.fetch(kid).finally(() => this.asking.delete(kid));
    this.asking.set(kid, asking);
    return asking;
  }

  private async fetch(kid: Thumbprint): Promise<SigningCertificate> {
    try {
      const found = await this.nats.request(vehicleCertificateGet, { thumbprint: kid });
      // Superseded and revoked ones are not kept: what changes after this look is the denylist's to say.
      if (found.status === 'superseded' || found.status === 'revoked') {
        throw new DomainError('telemetry.bad_signature', { detail: `kid: the signing certificate is ${found.status}` });
      }
      const anchors = { vehicleCas: this.trust.vehicleCa, trustDomain: this.config.trustDomain, now: new Date() };
      const signer = toSigningCertificate(Buffer.from(found.certificate, 'base64'), kid, anchors);
      this.known.set(kid, signer);
      return signer;
    } catch (error) {
      const refusal = toRefusal(error);
      this.unknown.set(kid, refusal);
      throw refusal;
    }
  }
}

function standingOf({ status, supersededAt, revokedAt }: CertificateReply): CertificateStanding {
  return {
    status,
    ...(supersededAt === undefined ? {} : { supersededAtMs: Date.parse(supersededAt) }),
    ...(revokedAt === undefined ? {} : { revokedAtMs: Date.parse(revokedAt) }),
  };
}

function toRefusal(error: unknown): DomainError {
  if (!(error instanceof DomainError)) throw error;
  if (error.code === 'telemetry.bad_signature' || error.code === 'telemetry.wrong_device') return error;
  if (error.code.startsWith('x509.')) {
    return new DomainError('telemetry.bad_signature', {
      cause: error,
      detail: 'kid: the certificate does not validate',
    });
  }
  const detail =
    error.code === 'provisioning.certificate_not_found' ? {} : { detail: 'kid: it cannot be asked for now' };
  return new DomainError('telemetry.unknown_kid', { cause: error, retryAfterSeconds: RETRY_AFTER_SECONDS, ...detail });
}
