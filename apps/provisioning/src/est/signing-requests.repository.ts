import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { DeviceId, Thumbprint } from '@outrider/ids';
import { type EntityManager, IsNull, LessThan, MoreThan } from 'typeorm';
import { SigningRequestRow } from './signing-request.entity.js';

/** An unanswered request is taken up again this long; after it the certificate would start its life too old. */
const OPEN_MS = 300_000;
const KEPT_MS = 86_400_000;

export interface Ask {
  readonly deviceId: DeviceId;
  readonly operation: 'enrol' | 're-enrol';
  readonly askedBy: Thumbprint;
  readonly keyThumbprint: string;
  readonly csr: Uint8Array;
}

@Injectable()
export class SigningRequests {
  /** The open request of the same key and certificate, or a new one. The device's row is locked, so two alike become one. */
  async open(tx: EntityManager, ask: Ask, lifetimeSeconds: number, now: Date): Promise<SigningRequestRow> {
    const { deviceId, operation, askedBy, keyThumbprint } = ask;
    await tx.delete(SigningRequestRow, { deviceId, createdAt: LessThan(new Date(now.getTime() - KEPT_MS)) });
    const open = await tx.findOne(SigningRequestRow, {
      where: {
        deviceId,
        operation,
        askedBy,
        keyThumbprint,
        thumbprint: IsNull(),
        createdAt: MoreThan(new Date(now.getTime() - OPEN_MS)),
      },
      order: { createdAt: 'DESC' },
    });
    if (open) return open;
    const row = Object.assign(new SigningRequestRow(), {
      requestId: randomUUID(),
      deviceId,
      operation,
      askedBy,
      keyThumbprint,
      csr: Buffer.from(ask.csr),
      lifetimeSeconds,
      createdAt: now,
      thumbprint: null,
    } satisfies SigningRequestRow);
    await tx.insert(SigningRequestRow, row);
    return row;
  }

  /** The certificate that a request led to already, when another call of the same was faster. */
  async answerOf(tx: EntityManager, requestId: string): Promise<Thumbprint | null> {
    const row = await tx.findOneBy(SigningRequestRow, { requestId });
    return row?.thumbprint ?? null;
  }

  async answered(tx: EntityManager, requestId: string, thumbprint: Thumbprint): Promise<void> {
    await tx.update(SigningRequestRow, { requestId }, { thumbprint });
  }
}
