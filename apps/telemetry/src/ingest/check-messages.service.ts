import { setImmediate as nextTurn } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { Thumbprint } from '@outrider/ids';
import { CONFIG } from '@outrider/platform/service';
import type { Config } from '../config.js';
import type { SigningCertificate } from '../signing-certificate/signing-certificate.js';
import { SigningCertificates } from '../signing-certificate/signing-certificates.service.js';
import { refuseAll } from './check-batch.js';
import { checkBinding, checkMessage } from './check-message.js';
import type { Envelope, Unreadable } from './envelope.js';
import type { Sender } from './sender.js';
import type { Checked } from './verified-record.js';

/** Records checked before other requests get their turn. */
const CHECKS_PER_TURN = 32;
/** Certificates other than the connection's that one body may name: a device has two at most. */
const MAX_KIDS = 4;

/** Checks the messages of a body one by one, with the keys they name. */
@Injectable()
export class CheckMessages {
  constructor(
    private readonly certificates: SigningCertificates,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** A verdict or a verified record for each record of the messages, in order. */
  async all(sender: Sender, messages: readonly (Envelope | Unreadable)[]): Promise<Checked[]> {
    const kids = new Set<Thumbprint>();
    const checked: Checked[] = [];
    let turn = CHECKS_PER_TURN;
    for (const message of messages) {
      if (checked.length >= turn) {
        await nextTurn();
        turn = checked.length + CHECKS_PER_TURN;
      }
      if ('unreadable' in message) checked.push({ refused: message.unreadable, seq: message.seq });
      else checked.push(...(await this.one(sender, message, kids)));
    }
    return checked;
  }

  private async one(sender: Sender, message: Envelope, kids: Set<Thumbprint>): Promise<readonly Checked[]> {
    try {
      checkBinding(message, sender.deviceId);
      const signer = await this.signerOf(sender, message, kids);
      return checkMessage(message, signer, {
        nowMs: Date.now(),
        skewSeconds: this.config.skewSeconds,
        tokenId: sender.tokenId,
      });
    } catch (error) {
      if (error instanceof DomainError) return refuseAll(error, message.seq, message.batchOf ?? 1);
      throw error;
    }
  }

  private signerOf(
    { certificate, deviceId }: Sender,
    { kid }: Envelope,
    kids: Set<Thumbprint>,
  ): SigningCertificate | Promise<SigningCertificate> {
    if (kid === undefined || kid === certificate.thumbprint)
      return this.certificates.ofConnection(certificate, deviceId);
    if (kids.add(kid).size > MAX_KIDS) {
      throw new DomainError('telemetry.unknown_kid', { detail: `kid: more than ${MAX_KIDS} in one body` });
    }
    return this.certificates.byKid(kid, deviceId);
  }
}
