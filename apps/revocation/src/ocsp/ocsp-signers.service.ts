import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { authorityList, type CertificatesSignRequest, certificatesSign } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { Nats, ServiceIdentity } from '@outrider/platform/nats';
import { CertificateMetrics, CONFIG, LOGGER, Schedule, TrustFiles } from '@outrider/platform/service';
import { createCertificationRequest, OID, type ParsedCertificate, parseCertificate } from '@outrider/x509';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { IssuerIndex } from './issuers.js';
import { isDue, isValid } from './signer-life.js';

const LOOK_EVERY_MS = 1_000;
/** Asked for this often where nothing is missing. */
const REST_MS = 30_000;
const TIMEOUT_MS = 4_000;

/** Who answers in the name of one issuing CA. */
export interface OcspSigner {
  readonly key: KeyObject;
  readonly certificate: ParsedCertificate;
}

interface Delegate extends OcspSigner {
  readonly issuer: ParsedCertificate;
}

type Generation = Readonly<{ authority: string; issuerKeyId: string }>;

/**
 * A delegated signer for each generation of the issuing CAs (RFC 6960 §4.2.2.2), its key in this process's memory alone; replaced at
 * the half of its life. Service certificates are answered for by a signer that the ceremony made, if one was given.
 */
@Injectable()
export class OcspSigners implements OnApplicationBootstrap {
  private readonly delegates = new Map<string, Delegate>();
  private generations: readonly Generation[] = [];
  private askedAtMs: number | undefined;
  private index: IssuerIndex | undefined;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly nats: Nats,
    private readonly identity: ServiceIdentity,
    private readonly trust: TrustFiles,
    private readonly schedule: Schedule,
    certificates: CertificateMetrics,
  ) {
    // Of several the one that ends first.
    certificates.watch('ocsp_signer', () => this.firstToEnd());
    trust.events.on('changed', () => {
      this.index = undefined;
    });
  }

  onApplicationBootstrap(): void {
    this.schedule.every(LOOK_EVERY_MS, 'no OCSP signer yet: fleet-ca is away or refuses', () =>
      this.keepFresh(new Date()),
    )();
  }

  /** The issuing CAs that are answered for, or would be if their signer were there. */
  issuers(): IssuerIndex {
    this.index ??= new IssuerIndex([
      ...this.trust.vehicleCa,
      ...(this.config.ocsp.infrastructureSigner ? this.trust.infrastructureCa : []),
      ...[...this.delegates.values()].map(({ issuer }) => issuer),
    ]);
    return this.index;
  }

  /** Whether an issuer's certificates are those of services, which fleet-ca knows nothing of. */
  isInfrastructure({ subjectKeyId }: ParsedCertificate): boolean {
    return this.trust.infrastructureCa.some((each) => each.subjectKeyId === subjectKeyId);
  }

  /** Undefined while there is none for that issuer. */
  signerOf({ subjectKeyId }: ParsedCertificate, now: Date): OcspSigner | undefined {
    const signer = this.delegates.get(subjectKeyId ?? '') ?? this.ofCeremony(subjectKeyId);
    return signer && isValid(signer.certificate, now) ? signer : undefined;
  }

  private ofCeremony(issuerKeyId: string | undefined): OcspSigner | undefined {
    const { infrastructureSigner: files } = this.config.ocsp;
    if (files === undefined) return undefined;
    const { privateKey: key, chain } = this.trust.keyPair(files.certificateFile, files.keyFile);
    const [certificate] = chain;
    return certificate?.authorityKeyId === issuerKeyId && certificate ? { key, certificate } : undefined;
  }

  private async keepFresh(now: Date): Promise<void> {
    if (this.missing(now).length === 0 && performance.now() - (this.askedAtMs ?? -REST_MS) < REST_MS) return;
    const { issuers } = await this.nats.request(authorityList, {}, { timeoutMs: TIMEOUT_MS });
    this.askedAtMs = performance.now();
    this.generations = issuers;
    for (const generation of this.missing(now)) await this.obtain(generation);
  }

  private firstToEnd(): ParsedCertificate | undefined {
    const all = [...this.delegates.values()].map(({ certificate }) => certificate);
    return all.sort((a, b) => a.notAfter.getTime() - b.notAfter.getTime())[0];
  }

  private missing(now: Date): readonly Generation[] {
    return this.generations.filter(({ issuerKeyId }) => isDue(this.delegates.get(issuerKeyId)?.certificate, now));
  }

  private async obtain({ authority, issuerKeyId }: Generation): Promise<void> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const subject = [{ type: OID.commonName, value: 'ocsp' }];
    const csr = Buffer.from(createCertificationRequest({ subject, privateKey, publicKey })).toString('base64');
    const request: CertificatesSignRequest = {
      aud: 'ca.certificate.sign.v2',
      iat: Math.floor(Date.now() / 1000),
      items: [{ requestId: randomUUID(), profile: 'ocsp-signer', authority, issuerKeyId, csr }],
    };
    const signed = { request: this.identity.signRequest(request) };
    const { items } = await this.nats.request(certificatesSign, signed, { timeoutMs: TIMEOUT_MS });
    const [reply] = items;
    if (!reply || !('certificate' in reply)) {
      throw new DomainError('service.upstream_unavailable', { detail: `fleet-ca refuses: ${reply?.code}` });
    }
    const [issuer] = reply.chain;
    const certificate = parseCertificate(reply.certificate);
    if (issuer === undefined || certificate.authorityKeyId !== issuerKeyId) {
      throw new DomainError('service.upstream_invalid', { detail: 'fleet-ca sent the signer of another issuer' });
    }
    this.delegates.set(issuerKeyId, { key: privateKey, certificate, issuer: parseCertificate(issuer) });
    this.index = undefined;
    this.logger.info({ issuerKeyId, notAfter: certificate.notAfter }, 'OCSP signer certificate');
  }
}
