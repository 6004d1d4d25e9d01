import { Inject, Injectable } from '@nestjs/common';
import { recordBackfilled } from '@outrider/contracts';
import { DomainError } from '@outrider/errors';
import { type DeviceId, SequenceNumber } from '@outrider/ids';
import { Database, OUTBOX_INSERT, Outbox, outboxMessage, outboxParameters } from '@outrider/platform/postgres';
import { LOGGER, type Logger, Metrics } from '@outrider/platform/service';
import { Findings } from '../ingest/findings.service.js';
import type { Sender } from '../ingest/sender.js';
import { takingIn } from '../reading/reading.repository.js';
import { SigningCertificates } from '../signing-certificate/signing-certificates.service.js';
import { type Connection, inTransaction } from '../store/connection.provider.js';
import { type FetchOrder, MAX_REFUSALS } from './fetch-order.js';
import { FetchOrdersRepository } from './fetch-orders.repository.js';
import { checkDelivery, readDelivery, type SignedDelivery } from './log-delivery.js';
import { LogRecordsRepository } from './log-records.repository.js';
import { type Delivery, LogVerification } from './log-verification.service.js';
import {
  type DeliveryAnswer,
  deliverable,
  deliveryAnswer,
  type SegmentTold,
  segmentFate,
  tellSegment,
} from './taken-in.js';
import { type Upload, UploadsRepository } from './uploads.repository.js';
import { UPLOAD_ACTION, Uploads } from './uploads.service.js';
import type { VerifiedSegment } from './verify-log.js';

/** Logs verified at a time, of different devices: each takes a connection and the processor. */
const AT_A_TIME = 2;
const ATTEMPTS = 3;
const RETRY_AFTER_SECONDS = 2;
const NOT_THE_LOGS_FAULT = new Set([
  'service.unavailable',
  'service.overloaded',
  'telemetry.unknown_kid',
  'telemetry.log_incomplete',
]);

/** Somebody else stored one of the numbers meanwhile: look again. */
class Raced extends Error {
  constructor(readonly stored: ReadonlyMap<number, string>) {
    super('a record was stored by another way while the log was taken in');
  }
}

/** Finishes an upload: verifies the whole log, then stores what was asked for in one transaction; or nothing. */
@Injectable()
export class TakeIn {
  private readonly running = new Set<DeviceId>();
  private readonly records;

  constructor(
    private readonly database: Database,
    private readonly outbox: Outbox,
    private readonly uploads: Uploads,
    private readonly parts: UploadsRepository,
    private readonly orders: FetchOrdersRepository,
    private readonly store: LogRecordsRepository,
    private readonly verification: LogVerification,
    private readonly certificates: SigningCertificates,
    private readonly findings: Findings,
    @Inject(LOGGER) private readonly logger: Logger,
    metrics: Metrics,
  ) {
    this.records = metrics.counter('outrider_telemetry_log_records_total', 'Records of offline logs by verdict.', [
      'verdict',
    ]);
  }

  /** The same delivery again gets the same answer. @throws DomainError `telemetry.*`: nothing was stored */
  async finish(sender: Sender, uploadId: string, bytes: Uint8Array): Promise<DeliveryAnswer> {
    const { deviceId } = sender;
    if (this.running.size >= AT_A_TIME || this.running.has(deviceId))
      throw new DomainError('service.overloaded', { retryAfterSeconds: RETRY_AFTER_SECONDS });
    this.running.add(deviceId);
    try {
      return await this.finishOne(sender, uploadId, bytes);
    } finally {
      this.running.delete(deviceId);
    }
  }

  private async finishOne(sender: Sender, uploadId: string, bytes: Uint8Array): Promise<DeliveryAnswer> {
    const { deviceId } = sender;
    const upload = await this.parts.find(deviceId, uploadId);
    if (!upload) throw new DomainError('telemetry.upload_not_found');
    let order: FetchOrder | undefined;
    try {
      const sent = readDelivery(bytes);
      const before = await this.store.answered(this.database, deviceId, upload.orderId, sent.sha256);
      if (before) return before as DeliveryAnswer;
      ({ order } = await this.uploads.requireOpen(deviceId, upload.orderId));
      if (upload.state !== 'open')
        throw new DomainError('telemetry.upload_not_found', { detail: `it is ${upload.state}` });
      const signer = await this.deliverySigner(sender, sent);
      checkDelivery(sent, deviceId, signer.key, order);
      return await this.takeIn({ sender, order, upload, sent, thumbprint: signer.thumbprint });
    } catch (error) {
      if (error instanceof DomainError && !NOT_THE_LOGS_FAULT.has(error.code)) {
        await this.refuse(sender, upload, order, error);
      }
      throw error;
    }
  }

  private deliverySigner({ certificate, deviceId }: Sender, { kid }: SignedDelivery) {
    if (kid === undefined || kid === certificate.thumbprint)
      return this.certificates.ofConnection(certificate, deviceId);
    return this.certificates.byKid(kid, deviceId);
  }

  private async takeIn(delivery: Delivery): Promise<DeliveryAnswer> {
    const stored = new Map<number, string>();
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await inTransaction(this.database, (tx) => this.verifyAndStore(tx, delivery, stored));
        this.outbox.kick();
        this.tell(delivery, answer);
        return answer;
      } catch (error) {
        const raced = error instanceof Raced || (error as { code?: string }).code === '23505';
        if (!raced || attempt === ATTEMPTS) throw raced ? busy(error) : error;
        if (error instanceof Raced) for (const [seq, digest] of error.stored) stored.set(seq, digest);
        await this.uploads.requireOpen(delivery.sender.deviceId, delivery.order.id);
      }
    }
  }

  /** The upload's row is locked first: what is verified is what is stored, and nobody finishes the same upload beside us. */
  private async verifyAndStore(tx: Connection, delivery: Delivery, raced: ReadonlyMap<number, string>) {
    const { sender, order, upload, sent } = delivery;
    // It stores no live message: readers of these need not wait for it.
    await tx.query({ text: `SET LOCAL application_name = '${takingIn(sender.deviceId)}'` });
    if (!(await this.parts.lock(tx, sender.deviceId, upload.id))) throw new DomainError('telemetry.upload_not_found');
    const whole = await this.verification.verify(tx, delivery);
    const present = await this.standing(tx, order);
    const asked = deliverable(order, present);
    const told: SegmentTold[] = [];
    const taken: number[] = [];
    for await (const verified of this.verification.again(tx, delivery, whole)) {
      const known = await this.storedOf(tx, delivery, verified, raced);
      const fate = segmentFate(verified, order, asked, known, whole);
      await this.store.addSegment(tx, order, fate);
      if (fate.accepted.length > 0) {
        await this.store.add(tx, order, fate, sender.tokenId);
        await this.publish(tx, delivery, fate);
      }
      told.push(tellSegment(fate));
      taken.push(...fate.accepted.map(({ seq }) => seq));
    }
    // From here on the live path of this device waits: not before, it may be many records.
    await this.orders.lockDevice(tx, sender.deviceId, order.stream);
    const live = await this.store.tookLive(tx, sender.deviceId, order, taken);
    if (live.size > 0) throw new Raced(live);
    const answer = deliveryAnswer(order, told);
    await this.store.fulfil(tx, order, sent, delivery.thumbprint, answer);
    await this.parts.close(tx, sender.deviceId, upload.id, 'accepted');
    return answer;
  }

  private async storedOf(
    tx: Connection,
    { sender, order }: Delivery,
    { segment: { head }, records }: VerifiedSegment,
    raced: ReadonlyMap<number, string>,
  ): Promise<ReadonlyMap<number, string>> {
    if (records.length === 0 || head.stream !== order.stream || head.epoch !== order.epoch) return new Map();
    const of = { stream: head.stream, epoch: head.epoch, from: head.seq, to: head.seq + head.count - 1 };
    const times = records.map(({ ts }) => ts);
    const stored = await this.store.stored(tx, sender.deviceId, of, [Math.min(...times), Math.max(...times)]);
    for (const [seq, digest] of raced) stored.set(seq, digest);
    return stored;
  }

  private async standing(tx: Connection, { deviceId, stream }: FetchOrder) {
    const { rows } = await tx.query<{ epoch: number; highest: string | null }>({
      text: `
        SELECT greatest(d.epoch, d.min_epoch) AS epoch, w.highest FROM devices d
        LEFT JOIN windows w ON w.device_id = d.device_id AND w.stream = $2 AND w.epoch = greatest(d.epoch, d.min_epoch)
        WHERE d.device_id = $1`,
      values: [deviceId, stream],
    });
    return { epoch: rows[0]?.epoch ?? 0, highest: Number(rows[0]?.highest ?? 0) };
  }

  private async publish(tx: Connection, { sender, order }: Delivery, fate: ReturnType<typeof segmentFate>) {
    const { head } = fate.segment;
    const receivedAt = new Date().toISOString();
    const events = fate.accepted.map(({ seq, ts, payload, canonicalSha256 }) =>
      outboxMessage(
        recordBackfilled,
        {
          deviceId: sender.deviceId,
          stream: head.stream,
          epoch: head.epoch,
          seq,
          ts,
          receivedAt,
          payload: Buffer.from(payload).toString('utf8'),
          canonicalSha256,
          thumbprint: fate.signer.thumbprint,
          orderId: order.id,
          log: head.log,
          segment: head.segment,
          standing: fate.standing,
        },
        sender.deviceId,
      ),
    );
    await tx.query({ name: 'outbox.insert', text: OUTBOX_INSERT, values: outboxParameters(events) });
  }

  /** Nothing of it is kept but that it was refused, and why. The order stays open for the true log, a few times. */
  private async refuse(
    sender: Sender,
    upload: Upload,
    order: FetchOrder | undefined,
    error: DomainError,
  ): Promise<void> {
    this.findings.refusedLog(sender, error, UPLOAD_ACTION, order && firstAsked(order));
    const { code, detail, members } = error;
    if (!order || upload.state !== 'open' || !code.startsWith('telemetry.')) return;
    await inTransaction(this.database, async (tx) => {
      await this.parts.close(tx, sender.deviceId, upload.id, 'refused', { code, detail, ...members });
      if ((await this.parts.countRefused(tx, sender.deviceId, order.id)) >= MAX_REFUSALS) {
        await this.orders.end(tx, sender.deviceId, order.id, 'given_up', 'platform');
      }
    });
    this.logger.warn({ deviceId: sender.deviceId, orderId: order.id, code, detail }, 'an offline log was refused');
  }

  private tell({ sender, order }: Delivery, answer: DeliveryAnswer): void {
    const { unanchored, ...verdicts } = answer.counts;
    for (const [verdict, count] of Object.entries(verdicts)) this.records.inc({ verdict }, count);
    const { deviceId } = sender;
    this.logger.info({ deviceId, orderId: order.id, ...answer.counts }, 'an offline log was taken in');
    if (verdicts.replayed > 0) {
      const detail = `order ${order.id}: ${verdicts.replayed} records of numbers that others have`;
      this.findings.refused(sender, { code: 'telemetry.replayed', detail }, UPLOAD_ACTION);
      this.findings.raise(sender, { ...firstAsked(order), kind: 'replayed', detail });
    }
    if (unanchored > 0) this.logger.warn({ deviceId, orderId: order.id, unanchored }, 'records are kept as unanchored');
  }
}

/** The first number that the order asks for. */
function firstAsked({ stream, epoch, ranges }: FetchOrder) {
  return { stream, epoch, seq: SequenceNumber.parse(ranges[0]?.[0]) };
}

function busy(cause: unknown): DomainError {
  return new DomainError('service.overloaded', { cause, retryAfterSeconds: RETRY_AFTER_SECONDS });
}
