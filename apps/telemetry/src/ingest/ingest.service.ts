import { setImmediate as nextTurn } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { StreamName, Thumbprint } from '@outrider/ids';
import { CONFIG } from '@outrider/platform/service';
import type { Config } from '../config.js';
import type { SigningCertificate } from '../signing-certificate/signing-certificate.js';
import { SigningCertificates } from '../signing-certificate/signing-certificates.service.js';
import { type Failed, GroupCommit } from '../store/group-commit.service.js';
import type { Decision, DeviceState } from '../window/decide-batch.js';
import { type WindowView, windowView } from '../window/window-view.js';
import { type Answer, answerTo, type Outcome } from './answer.js';
import { checkBinding, checkMessage } from './check-message.js';
import type { Envelope, Unreadable } from './envelope.js';
import { Findings } from './findings.service.js';
import { readBody } from './read-body.js';
import type { Sender } from './sender.js';
import type { VerifiedRecord } from './verified-record.js';

/** Signatures checked before other requests get their turn. */
const CHECKS_PER_TURN = 32;
/** Certificates other than the connection's that one body may name: a device has two at most. */
const MAX_KIDS = 4;
/** An operator has to act first. */
const CLOSED_RETRY_SECONDS = 30;

type Checked = VerifiedRecord | { readonly refused: DomainError; readonly seq: number | null };

/** Signed telemetry in: read, check each message, commit those that hold, answer after the commit (docs/protocols/telemetry.md). */
@Injectable()
export class IngestService {
  constructor(
    private readonly certificates: SigningCertificates,
    private readonly commits: GroupCommit,
    private readonly findings: Findings,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** @throws DomainError for a body that cannot be read, for the refusal of a single message, and when nothing can be stored now */
  async ingest(sender: Sender, bytes: Uint8Array, mediaType: string): Promise<Answer> {
    const { single, messages } = this.read(sender, bytes, mediaType);
    const checked = await this.checkAll(sender, messages);
    const verified = checked.filter((one): one is VerifiedRecord => !('refused' in one));
    const { decisions, device } = await this.commits.submit(sender.deviceId, verified);
    if (decisions.some(({ verdict }) => verdict === 'epoch_closed')) throw closed(viewsOf(verified, device!));
    let at = 0;
    const outcomes = checked.map((one) => ('refused' in one ? one : toOutcome(one, decisions[at++]!)));
    this.findings.report(sender, outcomes, decisions, verified);
    return answerTo(single, outcomes, device ? viewsOf(verified, device) : []);
  }

  /** A body that nobody can read is a refusal like any other. */
  private read(sender: Sender, bytes: Uint8Array, mediaType: string) {
    try {
      return readBody(bytes, mediaType);
    } catch (error) {
      if (error instanceof DomainError) this.findings.refused(sender, error);
      throw error;
    }
  }

  private async checkAll(sender: Sender, messages: readonly (Envelope | Unreadable)[]): Promise<Checked[]> {
    const kids = new Set<Thumbprint>();
    const checked: Checked[] = [];
    for (const message of messages) {
      if (checked.length % CHECKS_PER_TURN === CHECKS_PER_TURN - 1) await nextTurn();
      checked.push(
        'unreadable' in message ? refusal(message.unreadable, message.seq) : await this.checkOne(sender, message, kids),
      );
    }
    return checked;
  }

  private async checkOne(sender: Sender, message: Envelope, kids: Set<Thumbprint>): Promise<Checked> {
    try {
      checkBinding(message, sender.deviceId);
      const signer = await this.signerOf(sender, message, kids);
      return checkMessage(message, signer, {
        nowMs: Date.now(),
        skewSeconds: this.config.skewSeconds,
        tokenId: sender.tokenId,
      });
    } catch (error) {
      if (error instanceof DomainError) return refusal(error, message.seq);
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

function refusal(refused: DomainError, seq: number | null): Checked {
  return { refused, seq };
}

function toOutcome({ seq }: VerifiedRecord, { verdict }: Decision | Failed): Outcome {
  if (verdict === 'accepted' || verdict === 'duplicate') return { seq, verdict };
  return { seq, refused: new DomainError(verdict === 'failed' ? 'service.internal' : `telemetry.${verdict}`) };
}

/** The device is held as a whole: nothing of the body was looked at further, and the same may be sent again. */
function closed(windows: readonly WindowView[]): DomainError {
  return new DomainError('telemetry.epoch_closed', { retryAfterSeconds: CLOSED_RETRY_SECONDS, members: { windows } });
}

function viewsOf(verified: readonly VerifiedRecord[], device: DeviceState) {
  const streams = new Set<StreamName>(verified.map((record) => record.stream));
  return [...streams].map((stream) => windowView(device, stream));
}
