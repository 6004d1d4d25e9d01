import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { DeviceId } from '@outrider/ids';
import { Findings } from '../ingest/findings.service.js';
import type { Sender } from '../ingest/sender.js';
import { type OrderId, orderState } from './fetch-order.js';
import { FetchOrdersRepository, type StoredOrder } from './fetch-orders.repository.js';
import { MAX_SEGMENT_BYTES, readSegment } from './log-segment.js';
import { type Upload, UploadsRepository } from './uploads.repository.js';

/** Of one upload. */
export const MAX_UPLOAD_BYTES = 64 * 1_048_576;
export const MAX_UPLOAD_SEGMENTS = 2_000;

export const UPLOAD_ACTION = 'POST /v1/telemetry/offline-logs';

/** Receives a log segment by segment, to be gone on with after any interruption. */
@Injectable()
export class Uploads {
  constructor(
    private readonly orders: FetchOrdersRepository,
    private readonly uploads: UploadsRepository,
    private readonly findings: Findings,
  ) {}

  /** The same order again gives the same upload, with what it has received. @throws DomainError `telemetry.order_*` */
  async begin(sender: Sender, orderId: OrderId) {
    const { deviceId } = sender;
    try {
      await this.requireOpen(deviceId, orderId);
    } catch (error) {
      if (error instanceof DomainError) this.findings.refused(sender, error, UPLOAD_ACTION);
      throw error;
    }
    return uploadView(await this.uploads.begin(deviceId, orderId, randomUUID()));
  }

  /** @throws DomainError `telemetry.upload_not_found` */
  async show(deviceId: DeviceId, id: string) {
    return uploadView(await this.mustFind(deviceId, id));
  }

  /**
   * Segment `part` of the upload, from 0, one after the other; the same again is no error.
   * @throws DomainError `telemetry.upload_not_found`, `upload_conflict`, `order_*`, `log_malformed`, `request.too_large`
   */
  async append(sender: Sender, id: string, part: number, bytes: Uint8Array) {
    const { deviceId } = sender;
    const upload = await this.mustFind(deviceId, id);
    if (upload.state !== 'open')
      throw new DomainError('telemetry.upload_not_found', { detail: `it is ${upload.state}` });
    await this.requireOpen(deviceId, upload.orderId);
    if (part > upload.received) throw conflict(`segment ${upload.received} of the upload comes next`);
    if (part < upload.received) return this.sameAgain(deviceId, upload, part, bytes);
    if (part >= MAX_UPLOAD_SEGMENTS || upload.bytes + bytes.length > MAX_UPLOAD_BYTES) {
      const detail = `more than ${MAX_UPLOAD_SEGMENTS} segments or ${MAX_UPLOAD_BYTES} bytes`;
      throw new DomainError('request.too_large', { detail });
    }
    this.checkShape(sender, bytes);
    const added = await this.uploads.append(deviceId, id, part, bytes);
    if (!added) return this.sameAgain(deviceId, upload, part, bytes);
    return uploadView({ ...upload, received: part + 1, bytes: upload.bytes + bytes.length });
  }

  /** @throws DomainError `telemetry.order_not_found`, `order_used`, `order_cancelled`, `order_expired` */
  async requireOpen(deviceId: DeviceId, id: OrderId): Promise<StoredOrder> {
    const found = await this.orders.find(deviceId, id);
    if (!found) throw new DomainError('telemetry.order_not_found');
    const state = orderState(found.order, found.end, new Date());
    if (state === 'open') return found;
    if (state === 'expired') throw new DomainError('telemetry.order_expired');
    throw new DomainError(state === 'cancelled' ? 'telemetry.order_cancelled' : 'telemetry.order_used', {
      ...(state === 'given_up' ? { detail: 'too many logs were refused under it' } : {}),
    });
  }

  private checkShape(sender: Sender, bytes: Uint8Array): void {
    try {
      readSegment(bytes);
    } catch (error) {
      if (error instanceof DomainError) this.findings.refused(sender, error, UPLOAD_ACTION);
      throw error;
    }
  }

  private async sameAgain(deviceId: DeviceId, upload: Upload, part: number, bytes: Uint8Array) {
    if (!(await this.uploads.holds(deviceId, upload.id, part, bytes))) throw conflict(`segment ${part} is another`);
    return uploadView({ ...upload, received: Math.max(upload.received, part + 1) });
  }

  private async mustFind(deviceId: DeviceId, id: string): Promise<Upload> {
    const found = await this.uploads.find(deviceId, id);
    if (!found) throw new DomainError('telemetry.upload_not_found');
    return found;
  }
}

function uploadView({ id, orderId, state, received }: Upload) {
  return { upload: id, order: orderId, state, received, max_segment_bytes: MAX_SEGMENT_BYTES };
}

function conflict(detail: string): DomainError {
  return new DomainError('telemetry.upload_conflict', { detail });
}
