/** A receipt: what the platform answered to one request, signed, so that a vehicle can prove it later. */
import { JWS_TYP } from '@outrider/crypto';
import type { ParsedCertificate } from '@outrider/x509';
import { z } from 'zod';
import { scan } from './scan.js';
import { verifyStatement } from './service-statement.js';

const Hex = z.string().regex(/^[0-9a-f]{64}$/);

/** A verdict as answered. `sha256`: hex digest of the canonical record; absent where none could be read. */
const ReceiptResult = z.strictObject({
  seq: z.number().nullable(),
  stream: z.string().optional(),
  epoch: z.int().optional(),
  sha256: Hex.optional(),
  verdict: z.string(),
  code: z.string().optional(),
});
export type ReceiptResult = z.output<typeof ReceiptResult>;

/**
 * The payload of a receipt. `body_sha256`: hex, of the request's body as received; `committed_at`: RFC 3339, the start of the transaction
 * that stored the accepted ones, by PostgreSQL's clock; absent where nothing had to be stored.
 */
export const Receipt = z.strictObject({
  v: z.literal(1),
  device_id: z.string(),
  issued_at: z.iso.datetime(),
  committed_at: z.iso.datetime().optional(),
  body_sha256: Hex,
  thumbprint: z.string(),
  results: z.array(ReceiptResult),
});
export type Receipt = z.output<typeof Receipt>;

export type ReceiptVerdict =
  | { readonly ok: false; readonly reason: string }
  | { readonly ok: true; readonly receipt: Receipt; readonly signer: ParsedCertificate };

/** @param compact a JWS `outrider-receipt+jws`; @param anchors the fleet root, or the infrastructure CA */
export function verifyReceipt(compact: string, anchors: readonly ParsedCertificate[]): ReceiptVerdict {
  const issuedAt = (payload: Uint8Array) => {
    const { data } = Receipt.safeParse(scan(payload).value());
    return data && new Date(data.issued_at);
  };
  const verdict = verifyStatement(compact, JWS_TYP.receipt, issuedAt, anchors);
  if (!verdict.ok) return verdict;
  return { ok: true, receipt: Receipt.parse(scan(verdict.payload).value()), signer: verdict.signer };
}
