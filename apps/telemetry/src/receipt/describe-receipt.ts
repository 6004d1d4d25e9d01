/** What a receipt says of one request: the answer as given, with the digests that name the records. */
import { sha256Hex } from '@outrider/crypto';
import type { Receipt, ReceiptResult } from '@outrider/evidence';
import type { MessageResult } from '../ingest/answer.js';
import type { Sender } from '../ingest/sender.js';
import type { VerifiedRecord } from '../ingest/verified-record.js';

export interface Answered {
  /** The request's body as received. */
  readonly body: Uint8Array;
  /** By message, in order; anything but a verified record has no digest. */
  readonly checked: readonly (VerifiedRecord | object)[];
  readonly results: readonly MessageResult[];
  /** Start of the transaction that stored, by PostgreSQL's clock: the `received_at` of what was accepted. */
  readonly committedAt: Date | undefined;
}

export function describeReceipt(
  { deviceId, certificate }: Pick<Sender, 'deviceId' | 'certificate'>,
  { body, checked, results, committedAt }: Answered,
  now: Date,
): Receipt {
  return {
    v: 1,
    device_id: deviceId,
    issued_at: now.toISOString(),
    ...(committedAt ? { committed_at: committedAt.toISOString() } : {}),
    body_sha256: sha256Hex(body),
    thumbprint: certificate.thumbprint,
    results: results.map((result, index) => ({ ...digestOf(checked[index]), ...result })),
  };
}

function digestOf(checked: VerifiedRecord | object | undefined): Pick<ReceiptResult, 'stream' | 'epoch' | 'sha256'> {
  if (!checked || !('canonicalSha256' in checked)) return {};
  return { stream: checked.stream, epoch: checked.epoch, sha256: checked.canonicalSha256 };
}
