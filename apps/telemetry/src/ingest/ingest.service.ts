import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { DeviceId, StreamName } from '@outrider/ids';
import { leastRecords } from '../limits/least-records.js';
import { Limits } from '../limits/limits.service.js';
import { contactOf } from '../offline-log/contact.js';
import { OrderWatch } from '../offline-log/order-watch.service.js';
import { Receipts } from '../receipt/receipts.service.js';
import { type Failed, GroupCommit } from '../store/group-commit.service.js';
import type { Decision, DeviceState } from '../window/decide-batch.js';
import { type WindowView, windowView } from '../window/window-view.js';
import { type Answer, answerTo, type MessageResult, type Outcome } from './answer.js';
import { CheckMessages } from './check-messages.service.js';
import { Findings } from './findings.service.js';
import { readBody } from './read-body.js';
import type { Sender } from './sender.js';
import type { VerifiedRecord } from './verified-record.js';

/** An operator has to act first. */
const CLOSED_RETRY_SECONDS = 30;

/** Signed telemetry in: read, check each message, commit those that hold, answer after the commit (docs/protocols/telemetry.md). */
@Injectable()
export class IngestService {
  constructor(
    private readonly checks: CheckMessages,
    private readonly commits: GroupCommit,
    private readonly findings: Findings,
    private readonly watch: OrderWatch,
    private readonly limits: Limits,
    private readonly receipts: Receipts,
  ) {}

  /**
   * @param onReceipt where a receipt is asked for: told that the answer has one
   * @throws DomainError for a body that cannot be read, for the refusal of a single message, and when nothing can be stored now
   */
  async ingest(sender: Sender, bytes: Uint8Array, contentType: string, onReceipt?: () => void): Promise<Answer> {
    const { single, messages } = this.read(sender, bytes, contentType);
    const checked = await this.checks.all(sender, messages);
    const verified = checked.filter((one): one is VerifiedRecord => !('refused' in one));
    const { decisions, device, receivedAt } = await this.commits.submit(sender.deviceId, verified);
    if (decisions.some(({ verdict }) => verdict === 'epoch_closed')) {
      const error = closed(viewsOf(verified, device!));
      this.findings.refused(sender, error);
      throw error;
    }
    let at = 0;
    const outcomes = checked.map((one) => ('refused' in one ? one : toOutcome(one, decisions[at++]!)));
    this.findings.report(sender, outcomes, decisions, verified);
    const windows = device ? viewsOf(verified, device) : [];
    const contact = contactOf(checked, decisions, device, windows);
    const orders = await this.watch.afterContact(sender.deviceId, contact);
    const receiptFor = (results: readonly MessageResult[]) => {
      onReceipt?.();
      return this.receipts.sign(sender, { body: bytes, checked, results, committedAt: receivedAt });
    };
    return answerTo(single, outcomes, windows, orders, onReceipt && receiptFor);
  }

  /** A body that nobody can read is a refusal like any other; each record counts before its signature costs anything. */
  private read(sender: Sender, bytes: Uint8Array, contentType: string) {
    try {
      this.limits.take(sender.deviceId, 1);
      return this.readCounted(sender.deviceId, bytes, contentType);
    } catch (error) {
      if (error instanceof DomainError) this.findings.refused(sender, error);
      throw error;
    }
  }

  /** The first record has been counted. What cannot be read counts by its size alone. */
  private readCounted(deviceId: DeviceId, bytes: Uint8Array, contentType: string) {
    let records = leastRecords(bytes.length);
    try {
      const body = readBody(bytes, contentType);
      records = Math.max(records, body.records);
      return body;
    } finally {
      if (records > 1) this.limits.take(deviceId, records - 1);
    }
  }
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
