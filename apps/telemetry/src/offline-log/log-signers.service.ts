import { Injectable } from '@nestjs/common';
import { verificationKey } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import type { Thumbprint } from '@outrider/ids';
import type { Sender } from '../ingest/sender.js';
import { SigningCertificates } from '../signing-certificate/signing-certificates.service.js';
import type { LogSigner } from './verify-log.js';

/** Certificates that one log may be signed under: a day's each, for as long as an order lasts, and some. */
const MAX_SIGNERS = 16;

/** The certificates that a log was signed under, also those of the past: what they may vouch for is decided segment by segment. */
@Injectable()
export class LogSigners {
  constructor(private readonly certificates: SigningCertificates) {}

  /** For one delivery, asked once a certificate. */
  of(sender: Sender): (kid: Thumbprint | undefined) => Promise<LogSigner> {
    const known = new Map<Thumbprint, Promise<LogSigner>>();
    return (kid = sender.certificate.thumbprint) => {
      const found = known.get(kid);
      if (found) return found;
      if (known.size >= MAX_SIGNERS) {
        const detail = `more than ${MAX_SIGNERS} certificates`;
        return Promise.reject(new DomainError('telemetry.log_bad_signature', { detail }));
      }
      const asked = kid === sender.certificate.thumbprint ? present(sender) : this.past(sender, kid);
      known.set(kid, asked);
      return asked;
    };
  }

  private async past({ deviceId }: Sender, kid: Thumbprint): Promise<LogSigner> {
    try {
      return await this.certificates.ofPast(kid, deviceId);
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'telemetry.bad_signature') throw error;
      throw new DomainError('telemetry.log_bad_signature', {
        cause: error,
        ...(error.detail ? { detail: error.detail } : {}),
      });
    }
  }
}

/** The connection's own: admission has judged it for this request. */
async function present({ certificate }: Sender): Promise<LogSigner> {
  const { thumbprint, spkiDer, notBefore, notAfter } = certificate;
  return {
    thumbprint,
    key: verificationKey(spkiDer),
    validity: { notBeforeMs: notBefore.getTime(), notAfterMs: notAfter.getTime() },
    standing: { status: 'live' },
  };
}
