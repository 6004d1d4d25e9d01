import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type CertificatesSignRequest, certificatesSign } from '@outrider/contracts';
import { JWS_TYP, sign, signJws } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { Nats, ServiceIdentity } from '@outrider/platform/nats';
import { CertificateMetrics, LOGGER, type Logger, Readiness, TrustFiles } from '@outrider/platform/service';
import { createCertificationRequest, crossPath, OID, type ParsedCertificate, parseCertificate } from '@outrider/x509';
import { type CommandForm, coseCommand } from './signed-form.js';
import { canSign, renewalDue } from './signer-lifetime.js';

const CHECK_MS = 30_000;
const RETRY_MS = 1000;

interface Signer {
  readonly key: KeyObject;
  readonly certificate: ParsedCertificate;
  /** As fleet-ca sent it. */
  readonly controlCa: ParsedCertificate;
}

/** Holds the command signer's key, in this process's memory only, and its 24-hour certificate of the control CA. */
@Injectable()
export class CommandSigner implements OnApplicationBootstrap, OnApplicationShutdown {
  private signer: Signer | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly nats: Nats,
    private readonly identity: ServiceIdentity,
    private readonly trust: TrustFiles,
    @Inject(LOGGER) private readonly logger: Logger,
    readiness: Readiness,
    certificates: CertificateMetrics,
  ) {
    certificates.watch('command_signer', () => this.signer?.certificate);
    readiness.add('command signer', () => ({
      ok: this.signer !== undefined && canSign(this.signer.certificate, new Date()),
    }));
  }

  onApplicationBootstrap(): void {
    void this.keepFresh();
  }

  onApplicationShutdown(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** The signed command over `payload`, JSON, as it is kept. Throws `service.upstream_unavailable` while there is no valid certificate. */
  sign(payload: string, now: Date, form: CommandForm = 'jws'): string {
    if (!this.signer || !canSign(this.signer.certificate, now)) {
      throw new DomainError('service.upstream_unavailable', {
        detail: 'no command signer certificate: fleet-ca is away',
        retryAfterSeconds: 2,
      });
    }
    const { key } = this.signer;
    const chain = this.chain(this.signer);
    if (form === 'cose') return coseCommand(payload, chain, (bytes) => sign(key, bytes));
    const x5c = chain.map((der) => Buffer.from(der).toString('base64'));
    return signJws({ header: { typ: JWS_TYP.command, x5c }, payload, key });
  }

  /** Signer, control CA as it is certified now, and during a root rollover what leads who trusts another root to its root. */
  private chain({ certificate, controlCa }: Signer): Uint8Array[] {
    const { authorityKeyId } = certificate;
    const present = this.trust.controlCa.find(({ subjectKeyId }) => subjectKeyId === authorityKeyId) ?? controlCa;
    const path = [certificate, present, ...crossPath(present, this.trust.rootCrossCertificates)];
    return path.map(({ der }) => der);
  }

  private async keepFresh(): Promise<void> {
    let wait = CHECK_MS;
    try {
      if (!this.signer || renewalDue(this.signer.certificate, new Date())) this.signer = await this.obtain();
    } catch (error) {
      this.logger.warn({ err: error }, 'no command signer certificate yet');
      wait = this.signer ? CHECK_MS : RETRY_MS;
    }
    if (this.stopped) return;
    this.timer = setTimeout(() => void this.keepFresh(), wait);
  }

  private async obtain(): Promise<Signer> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const csr = createCertificationRequest({
      subject: [{ type: OID.commonName, value: 'command' }],
      privateKey,
      publicKey,
    });
    const request: CertificatesSignRequest = {
      aud: 'ca.certificate.sign.v2',
      iat: Math.floor(Date.now() / 1000),
      items: [
        {
          requestId: randomUUID(),
          profile: 'command-signer',
          authority: 'control-ca',
          csr: Buffer.from(csr).toString('base64'),
        },
      ],
    };
    const { items } = await this.nats.request(certificatesSign, { request: this.identity.signRequest(request) });
    const [reply] = items;
    if (!reply || !('certificate' in reply)) {
      throw new DomainError('service.upstream_unavailable', {
        detail: `fleet-ca refuses the command signer: ${reply?.code}`,
      });
    }
    const [controlCa] = reply.chain;
    if (!controlCa) throw new DomainError('service.upstream_invalid', { detail: 'fleet-ca sent no control CA' });
    const certificate = parseCertificate(reply.certificate);
    this.logger.info(
      { serialNumber: certificate.serialNumber, notAfter: certificate.notAfter },
      'command signer certificate',
    );
    return { key: privateKey, certificate, controlCa: parseCertificate(controlCa) };
  }
}
