import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { VerificationKey } from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { type EvidenceRecord, type RecordVerdict, verifyRecord } from '@outrider/evidence';
import type { DeviceId } from '@outrider/ids';
import { MessagesInRange } from '../reading/messages-in-range.service.js';
import type { TimeRange } from '../reading/range.js';
import { ReadingRepository, type StoredBatch } from '../reading/reading.repository.js';
import type { StoredMessage } from '../reading/stored-message.js';
import { Signers } from './signers.service.js';
import { VerifyLogs } from './verify-logs.service.js';
import { type Fault, VerifyProgress } from './verify-progress.js';

/** Signatures checked before vehicles get their turn. */
const CHECKS_PER_TURN = 16;
/** Items of offline logs between two words of progress, as a page of messages. */
const PROGRESS_EACH = 100;

/** What the verification of a range says, in order: faults and progress, at last the summary. */
export type VerifyEvent =
  | { readonly event: 'progress'; readonly data: ReturnType<VerifyProgress['progress']> }
  | { readonly event: 'fault'; readonly data: Fault }
  | { readonly event: 'summary'; readonly data: ReturnType<VerifyProgress['summary']> };

/** The last batch looked at: its records lie side by side. */
interface LastBatch {
  readonly of: string;
  readonly batch: StoredBatch | undefined;
}

/** Verifies again what is stored, by the bytes as received and the certificates that signed them. */
@Injectable()
export class VerifyService {
  constructor(
    private readonly messages: ReadingRepository,
    private readonly range: MessagesInRange,
    private readonly signers: Signers,
    private readonly logs: VerifyLogs,
  ) {}

  /**
   * Live messages first, then what offline logs brought.
   * @throws DomainError `telemetry.unknown_device` for one that has never sent anything, `service.unavailable` for a PostgreSQL that is
   * away, `service.upstream_unavailable` for a provisioning that is
   */
  async *run(deviceId: DeviceId, range: TimeRange): AsyncGenerator<VerifyEvent, void, undefined> {
    if (!(await this.messages.knows(deviceId))) throw new DomainError('telemetry.unknown_device');
    const progress = new VerifyProgress(await this.messages.count(deviceId, range));
    yield* this.live(deviceId, range, progress);
    let items = 0;
    for await (const fault of this.logs.run(deviceId, range, progress)) {
      if (++items % CHECKS_PER_TURN === 0) await nextTurn();
      if (fault) yield { event: 'fault', data: fault };
      if (items % PROGRESS_EACH === 0) yield { event: 'progress', data: progress.progress() };
    }
    if (items % PROGRESS_EACH > 0) yield { event: 'progress', data: progress.progress() };
    yield { event: 'summary', data: progress.summary() };
  }

  private async *live(
    deviceId: DeviceId,
    range: TimeRange,
    progress: VerifyProgress,
  ): AsyncGenerator<VerifyEvent, void, undefined> {
    let last: LastBatch | undefined;
    let checks = 0;
    for await (const page of this.range.pages(deviceId, range)) {
      const keys = await this.keysOf(page, deviceId);
      for (const message of page) {
        if (++checks % CHECKS_PER_TURN === 0) await nextTurn();
        if (message.batch_sha256) last = await this.batchOf(message, last);
        const verdict = judge(message, keys(message), message.batch_sha256 ? last?.batch : undefined);
        const receivedAt = message.received_at.toISOString();
        progress.add(message.format, message.thumbprint, receivedAt, verdict);
        if (!verdict.ok) yield { event: 'fault', data: faultOf(message, receivedAt, verdict.fault) };
      }
      yield { event: 'progress', data: progress.progress() };
    }
  }

  /** A path is validated once for each certificate at the two ends of a page, whose times are in order. */
  private async keysOf(page: readonly StoredMessage[], deviceId: DeviceId) {
    const keys = new Map<string, VerificationKey | 'missing' | 'invalid'>();
    for (const { thumbprint } of page) {
      if (keys.has(thumbprint)) continue;
      const own = page.filter((message) => message.thumbprint === thumbprint);
      const kept = await this.signers.find(thumbprint);
      if (!kept) keys.set(thumbprint, 'missing');
      else {
        const [first, last] = [own[0]!, own.at(-1)!].map((message) =>
          this.signers.keyOf(kept, deviceId, message.received_at),
        );
        if (first && last) keys.set(thumbprint, last);
        else
          for (const message of own)
            keys.set(whole(message), this.signers.keyOf(kept, deviceId, message.received_at) ?? 'invalid');
      }
    }
    return (message: StoredMessage) => keys.get(message.thumbprint) ?? keys.get(whole(message)) ?? 'invalid';
  }

  private async batchOf(message: StoredMessage, last: LastBatch | undefined): Promise<LastBatch> {
    const of = `${message.received_us} ${message.batch_sha256!.toString('hex')}`;
    return last?.of === of ? last : { of, batch: await this.messages.batch(message) };
  }
}

function judge(
  message: StoredMessage,
  key: VerificationKey | 'missing' | 'invalid',
  batch: StoredBatch | undefined,
): RecordVerdict {
  if (key === 'missing') return { ok: false, fault: 'certificate_missing' };
  if (key === 'invalid') return { ok: false, fault: 'certificate_invalid' };
  return verifyRecord(toEvidence(message, batch), key);
}

function toEvidence(message: StoredMessage, batch: StoredBatch | undefined): EvidenceRecord {
  const { device_id, stream, epoch, seq, ts, format, thumbprint, payload, signature, batch_index } = message;
  return {
    ...{ deviceId: device_id, stream, epoch, seq: Number(seq), ts, format, thumbprint, payload, signature },
    canonicalSha256: message.canonical_sha256.toString('hex'),
    batch: batch && { of: batch, index: batch_index ?? 0 },
  };
}

function whole({ stream, epoch, seq }: StoredMessage): string {
  return `${stream} ${epoch} ${seq}`;
}

function faultOf({ stream, epoch, seq, thumbprint }: StoredMessage, received_at: string, fault: Fault['fault']): Fault {
  return { stream, epoch, seq: Number(seq), received_at, thumbprint, log: null, fault };
}
