/** The id of what an Idempotency-Key stands for, where the thing made remembers its key by its own id: then a retry finds it. */
import { createHash } from 'node:crypto';
import { DomainError } from '@outrider/errors';

/**
 * A UUID (version 8, RFC 9562) that the same caller gets for the same key of the same kind of thing, and nobody else.
 * @param by `op:<uuid>`
 * @param header as it came; undefined: none, and the result is undefined
 * @throws DomainError `request.invalid` where it is no key: 1 to 128 visible ASCII characters
 */
export function keyedId(header: string | undefined, by: string, kind: string): string | undefined {
  if (header === undefined) return undefined;
  if (!/^[\x21-\x7e]{1,128}$/.test(header)) {
    throw new DomainError('request.invalid', { detail: 'Idempotency-Key: 1 to 128 visible ASCII characters' });
  }
  const bytes = createHash('sha256')
    .update(JSON.stringify([kind, by, header]))
    .digest()
    .subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** `isSame`: what the key made is what is asked for now. @throws DomainError `request.idempotency_mismatch` */
export function requireSameRequest(isSame: boolean): void {
  if (!isSame) throw new DomainError('request.idempotency_mismatch');
}
