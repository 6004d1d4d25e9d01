import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { Findings } from '../ingest/findings.service.js';
import type { Sender } from '../ingest/sender.js';
import { SigningCertificates } from '../signing-certificate/signing-certificates.service.js';
import { logFault } from './log-fault.js';
import { LogHeadsRepository } from './log-heads.repository.js';
import { readSignedHead, type SignedHead } from './log-segment.js';

const ACTION = 'POST /v1/telemetry/log-heads';

/** Takes the heads that vehicles announce while they are online. */
@Injectable()
export class LogHeads {
  constructor(
    private readonly heads: LogHeadsRepository,
    private readonly certificates: SigningCertificates,
    private readonly findings: Findings,
  ) {}

  /** The same head again is no error. @throws DomainError `telemetry.log_*`, `wrong_device`, `unknown_kid` */
  async announce(sender: Sender, bytes: Uint8Array): Promise<{ readonly segment: number; readonly known: boolean }> {
    let sent: SignedHead | undefined;
    try {
      sent = readSignedHead(bytes);
      return await this.take(sender, sent);
    } catch (error) {
      if (error instanceof DomainError && error.code !== 'service.unavailable') {
        this.findings.refusedLog(sender, error, ACTION, sent?.head);
      }
      throw error;
    }
  }

  private async take(sender: Sender, sent: SignedHead) {
    const { certificate, deviceId } = sender;
    const { head, kid, sha256 } = sent;
    if (head.device_id !== deviceId) throw new DomainError('telemetry.wrong_device');
    const signer =
      kid === undefined || kid === certificate.thumbprint
        ? this.certificates.ofConnection(certificate, deviceId)
        : await this.certificates.byKid(kid, deviceId);
    if (!sent.isSignedBy(signer.key))
      throw logFault('telemetry.log_bad_signature', head, 'the signature does not verify');
    const known = await this.heads.range(deviceId, head.log, head.segment - 1, head.segment);
    this.compare(sent, known);
    const added = known.some(({ segment }) => segment === head.segment)
      ? false
      : await this.heads.add(deviceId, sent, signer.thumbprint);
    if (!added) this.compare(sent, await this.heads.range(deviceId, head.log, head.segment, head.segment));
    return { segment: head.segment, sha256, known: !added };
  }

  /** Of two heads of one number one is a lie, and so is one that does not follow from the one before. */
  private compare({ head, sha256 }: SignedHead, known: readonly { segment: number; sha256: string }[]): void {
    const place = { segment: head.segment };
    for (const other of known) {
      if (other.segment === head.segment && other.sha256 !== sha256)
        throw logFault('telemetry.log_conflict', place, 'another head had been received for this segment');
      if (other.segment === head.segment - 1 && other.sha256 !== head.previous)
        throw logFault('telemetry.log_chain_broken', place, 'it does not follow from the head received before it');
    }
  }
}
