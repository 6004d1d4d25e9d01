/** Reads what closes an upload: the vehicle's signed word that these segments answer this order, by its nonce. */
import { jcsOfSlice, scanJson } from '@outrider/canonicalization';
import {
  constantTimeEqual,
  decodeSignature,
  JCS_TYP,
  sha256Hex,
  type VerificationKey,
  verifySignature,
} from '@outrider/crypto';
import { DomainError } from '@outrider/errors';
import { DeviceId, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import { type FetchOrder, OrderId } from './fetch-order.js';
import { LogName, Sha256Hex } from './log-segment.js';

const MAX_BYTES = 8_192;

/** `first`, `last`: numbers of segments of `log`, both included. `head`: hex SHA-256 of the last head. */
export const LogDelivery = z
  .strictObject({
    typ: z.literal(JCS_TYP.logDelivery),
    device_id: DeviceId,
    order: OrderId,
    nonce: z.string().max(64),
    log: LogName,
    first: z.int().min(1),
    last: z.int().min(1),
    head: Sha256Hex,
  })
  .refine(({ first, last }) => first <= last, 'last is below first');
export type LogDelivery = z.output<typeof LogDelivery>;

/** `sha256`: hex, of the delivery's JCS: the same delivery sent again has the same. */
export interface SignedDelivery {
  readonly delivery: LogDelivery;
  readonly sha256: string;
  readonly signed: Uint8Array;
  readonly signature: string;
  readonly kid: Thumbprint | undefined;
}

const Body = z.strictObject({ delivery: LogDelivery, signature: z.string().max(208), kid: Thumbprint.optional() });

/** @throws DomainError `telemetry.log_malformed` */
export function readDelivery(bytes: Uint8Array): SignedDelivery {
  const { root } = scan(bytes);
  const parsed = Body.safeParse(root.value());
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw malformed(`${issue?.path.join('.') || 'body'}: ${issue?.message}`, parsed.error);
  }
  const signed = jcsOfSlice(root.member('delivery')!);
  const { delivery, signature, kid } = parsed.data;
  return { delivery, sha256: sha256Hex(signed), signed, signature, kid };
}

/**
 * Device, signature, order, nonce: in this order.
 * @throws DomainError `telemetry.wrong_device`, `telemetry.log_bad_signature`, `telemetry.log_wrong_nonce`
 */
export function checkDelivery(sent: SignedDelivery, deviceId: DeviceId, key: VerificationKey, order: FetchOrder): void {
  const { delivery, signed } = sent;
  if (delivery.device_id !== deviceId) throw new DomainError('telemetry.wrong_device');
  const signature = decodeSignature(sent.signature, key.algorithm);
  if (!signature || !verifySignature(key, signed, signature)) {
    throw new DomainError('telemetry.log_bad_signature', { detail: 'the delivery', members: { fault: 'delivery' } });
  }
  if (delivery.order !== order.id) throw wrongNonce('the delivery is for another order');
  if (!constantTimeEqual(Buffer.from(delivery.nonce), Buffer.from(order.nonce)))
    throw wrongNonce('not the nonce of the order');
}

function wrongNonce(detail: string): DomainError {
  return new DomainError('telemetry.log_wrong_nonce', { detail });
}

function scan(bytes: Uint8Array) {
  try {
    return scanJson(bytes, { maxBytes: MAX_BYTES, maxDepth: 4 });
  } catch (error) {
    if (error instanceof DomainError) throw malformed(error.detail ?? 'unreadable', error);
    throw error;
  }
}

function malformed(detail: string, cause: unknown): DomainError {
  return new DomainError('telemetry.log_malformed', { detail, cause });
}
