import { Inject, Injectable } from '@nestjs/common';
import type { DomainError } from '@outrider/errors';
import type { Thumbprint } from '@outrider/ids';
import { peerOf } from '@outrider/platform/http';
import { Database } from '@outrider/platform/postgres';
import { CONFIG, LOGGER } from '@outrider/platform/service';
import type { FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { CertificateRow } from '../certificate/certificate.entity.js';
import type { Config } from '../config.js';
import { Devices } from '../device/devices.repository.js';
import { defaultLabel, findLabel } from '../label/label.js';
import { deniedIdentity } from './clone.js';
import { Findings } from './findings.service.js';

const AGAIN_MS = 60_000;
const MAX_REMEMBERED = 10_000;

/** Findings of what admission refuses before enrolment sees it: a fleet certificate on the denylist that asks for another. */
@Injectable()
export class DeniedFindings {
  /** When each was last looked at: whoever is refused a thousand times costs one transaction. */
  private readonly seen = new Map<Thumbprint, number>();

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly database: Database,
    private readonly devices: Devices,
    private readonly findings: Findings,
  ) {}

  /** Does its work beside the answer: a refusal waits for nothing. */
  refused(request: FastifyRequest, error: DomainError): void {
    if (request.method !== 'POST' || !error.code.startsWith('denylist.')) return;
    const { certificate, remoteAddress } = peerOf(request.raw);
    if (!certificate || !this.isDue(certificate.thumbprint, Date.now())) return;
    this.look(certificate.thumbprint, remoteAddress, error).catch((err: unknown) =>
      this.logger.warn({ err, thumbprint: certificate.thumbprint }, 'a finding was not kept'),
    );
  }

  private look(thumbprint: Thumbprint, remoteAddress: string, { code, detail }: DomainError): Promise<void> {
    return this.database.transaction(async (tx) => {
      const row = await tx.findOneBy(CertificateRow, { thumbprint });
      const device = row && (await this.devices.lock(tx, row.deviceId));
      const finding = row && deniedIdentity(row, remoteAddress, code, detail);
      if (!device || !finding) return;
      await this.findings.raise(
        tx,
        device,
        [finding],
        findLabel(this.config.labels, row.label) ?? defaultLabel(this.config.labels),
        new Date(),
      );
    });
  }

  private isDue(thumbprint: Thumbprint, nowMs: number): boolean {
    if (nowMs - (this.seen.get(thumbprint) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) return false;
    if (this.seen.size >= MAX_REMEMBERED) this.seen.clear();
    this.seen.set(thumbprint, nowMs);
    return true;
  }
}
