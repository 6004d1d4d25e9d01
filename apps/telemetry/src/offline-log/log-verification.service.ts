import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import type { Sender } from '../ingest/sender.js';
import type { Connection } from '../store/connection.provider.js';
import type { FetchOrder } from './fetch-order.js';
import type { SignedDelivery } from './log-delivery.js';
import { LogHeadsRepository } from './log-heads.repository.js';
import { readSegment, type Segment } from './log-segment.js';
import { LogSigners } from './log-signers.service.js';
import type { Proof } from './taken-in.js';
import { type Upload, UploadsRepository } from './uploads.repository.js';
import {
  checkLastHead,
  type LogPosition,
  type LogSigner,
  orDisorder,
  recordsOf,
  type VerifiedSegment,
  verifySegment,
  withAbsent,
} from './verify-log.js';

/** An upload that its vehicle calls finished. `thumbprint`: of the certificate that signed the delivery. */
export interface Delivery {
  readonly sender: Sender;
  readonly order: FetchOrder;
  readonly upload: Upload;
  readonly sent: SignedDelivery;
  readonly thumbprint: string;
}

/** What is known of a log once all of it was verified. `signers`: by `kid`. */
export interface Whole extends Proof {
  readonly signers: ReadonlyMap<string | undefined, LogSigner>;
}

/** Reads an upload through, segment by segment: one of them is in memory at a time. The upload's row is locked meanwhile. */
@Injectable()
export class LogVerification {
  constructor(
    private readonly parts: UploadsRepository,
    private readonly heads: LogHeadsRepository,
    private readonly signers: LogSigners,
  ) {}

  /** @throws DomainError `telemetry.log_*` with the place of the first fault; `unknown_kid`, `wrong_device` */
  async verify(tx: Connection, delivery: Delivery): Promise<Whole> {
    const { log, first, last } = delivery.sent.delivery;
    const heads = await this.heads.range(delivery.sender.deviceId, log, first - 1, last);
    try {
      return await this.follow(tx, delivery, heads);
    } catch (error) {
      if (!(error instanceof DomainError) || typeof error.members.segment !== 'number') throw error;
      const numbers: number[] = [];
      for await (const { head } of this.segments(tx, delivery)) numbers.push(head.segment);
      throw withAbsent(orDisorder(error, numbers), numbers, delivery.sent.delivery);
    }
  }

  /** The same segments once more, to be stored: under the lock they cannot have changed. */
  async *again(tx: Connection, delivery: Delivery, { signers }: Whole): AsyncGenerator<VerifiedSegment> {
    for await (const segment of this.segments(tx, delivery)) {
      yield { segment, signer: signers.get(segment.kid)!, records: recordsOf(segment) };
    }
  }

  private async follow(tx: Connection, delivery: Delivery, heads: Proof['heads']): Promise<Whole> {
    const { sender, order, sent } = delivery;
    const announced = new Map(heads.map(({ segment, sha256 }) => [segment, sha256]));
    const signerOf = this.signers.of(sender);
    const signers = new Map<string | undefined, LogSigner>();
    const chain = new Map<number, string>();
    const nowMs = Date.now();
    let position: LogPosition | undefined;
    for await (const segment of this.segments(tx, delivery)) {
      signers.set(segment.kid, await signerOf(segment.kid));
      ({ position } = verifySegment(position, segment, {
        deviceId: sender.deviceId,
        order,
        delivery: sent.delivery,
        signerOf: (kid) => signers.get(kid)!,
        announced: (number) => announced.get(number),
      }));
      chain.set(segment.head.segment, segment.sha256);
    }
    const { last, first } = sent.delivery;
    if (!position || position.segment < last) {
      const detail = `the delivery names ${last - first + 1} segments, ${delivery.upload.received} are uploaded`;
      throw new DomainError('telemetry.log_incomplete', { detail });
    }
    checkLastHead(position, sent.delivery);
    return { chain, heads, nowMs, signers };
  }

  private async *segments(tx: Connection, { sender, upload }: Delivery): AsyncGenerator<Segment> {
    for (let part = 0; part < upload.received; part += 1) {
      const bytes = await this.parts.part(tx, sender.deviceId, upload.id, part);
      if (!bytes) throw new DomainError('telemetry.upload_not_found');
      yield readSegment(bytes);
      await nextTurn();
    }
  }
}
