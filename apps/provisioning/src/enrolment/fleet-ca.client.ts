import { Inject, Injectable } from '@nestjs/common';
import { type CertificatesSignRequest, certificatesSign, SIGN_ITEMS_MAX } from '@outrider/contracts';
import { DomainError, isErrorCode } from '@outrider/errors';
import { deviceSpiffeId } from '@outrider/ids';
import { Nats, ServiceIdentity } from '@outrider/platform/nats';
import { CONFIG } from '@outrider/platform/service';
import { type ParsedCertificate, parseCertificate } from '@outrider/x509';
import type { z } from 'zod';
import type { Config } from '../config.js';
import type { Settled } from './group-queue.js';
import type { SigningRequest } from './working-set.js';

const TIMEOUT_MS = 5000;
/** DER of the requests in one message: base64 twice, it stays below NATS's 1 MiB. */
const MAX_CSR_BYTES = 400_000;

export interface Signed {
  readonly certificate: ParsedCertificate;
  readonly issuerKeyId: string;
}

type Item = z.output<typeof certificatesSign.reply>['items'][number];

/** Asks fleet-ca to sign: by requests of our own identity's key, since it believes nothing else. */
@Injectable()
export class FleetCa {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly nats: Nats,
    private readonly identity: ServiceIdentity,
  ) {}

  /**
   * What came of each, by request id. Throws what befell all: `service.upstream_unavailable` (some may have been signed),
   * `service.upstream_invalid`, fleet-ca's own codes for the whole.
   */
  async sign(requests: readonly SigningRequest[], now: Date): Promise<Map<string, Settled<Signed>>> {
    const signed = new Map<string, Settled<Signed>>();
    for (const part of parts(requests)) {
      const { items } = await this.ask(part, now);
      for (const item of items) {
        const request = part.find(({ requestId }) => requestId === item.requestId);
        if (request) signed.set(item.requestId, this.read(item, request));
      }
    }
    return signed;
  }

  private ask(requests: readonly SigningRequest[], now: Date) {
    const payload: CertificatesSignRequest = {
      aud: 'ca.certificate.sign.v2',
      iat: Math.floor(now.getTime() / 1000),
      items: requests.map(({ requestId, profile, authority, csr, deviceId, lifetimeSeconds }) => ({
        requestId,
        // fleet-ca says whether there is one of this name.
        profile: profile as CertificatesSignRequest['items'][number]['profile'],
        authority,
        csr: csr.toString('base64'),
        deviceId,
        lifetimeSeconds,
      })),
    };
    const request = this.identity.signRequest(payload);
    return this.nats.request(certificatesSign, { request }, { timeoutMs: TIMEOUT_MS });
  }

  private read(item: Item, request: SigningRequest): Settled<Signed> {
    if (!('certificate' in item)) return { ok: false, error: errorOf(item) };
    const certificate = parseCertificate(item.certificate);
    if (this.isAsAsked(certificate, request)) {
      return { ok: true, value: { certificate, issuerKeyId: item.ref.issuerKeyId } };
    }
    const detail = 'fleet-ca answered with another certificate';
    return { ok: false, error: new DomainError('service.upstream_invalid', { detail }) };
  }

  private isAsAsked(certificate: ParsedCertificate, request: SigningRequest): boolean {
    const [uri, ...more] = certificate.sanUris;
    return (
      certificate.keyThumbprint === request.keyThumbprint &&
      certificate.subjectCommonName === request.deviceId &&
      uri === deviceSpiffeId(this.config.trustDomain, request.deviceId) &&
      more.length === 0
    );
  }
}

function errorOf({ code, detail, retryAfterSeconds }: Exclude<Item, { certificate: string }>): DomainError {
  if (!isErrorCode(code)) return new DomainError('service.upstream_invalid', { detail: `fleet-ca says ${code}` });
  return new DomainError(code, {
    ...(detail === undefined ? {} : { detail }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

/** As few messages as hold them. */
function parts(requests: readonly SigningRequest[]): SigningRequest[][] {
  const found: SigningRequest[][] = [];
  let bytes = 0;
  for (const request of requests) {
    const last = found.at(-1);
    bytes += request.csr.length;
    if (last && last.length < SIGN_ITEMS_MAX && bytes <= MAX_CSR_BYTES) last.push(request);
    else {
      found.push([request]);
      bytes = request.csr.length;
    }
  }
  return found;
}
