/** The cursor of a listing: where the last page ended, opaque to who holds it. */
import { DomainError } from '@outrider/errors';
import { DeviceId, Epoch, StreamName } from '@outrider/ids';
import { z } from 'zod';

/** `receivedAt`: microseconds since the epoch, as decimal digits. The position right after this record. */
const Position = z.tuple([
  z.string().regex(/^[0-9]{1,18}$/),
  DeviceId,
  StreamName,
  Epoch,
  z.string().regex(/^[0-9]{1,16}$/),
]);
export type Position = z.output<typeof Position>;

export function encodeCursor(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/** @throws DomainError `request.invalid` for anything that no page of ours gave out */
export function decodeCursor(text: string): Position {
  const parsed = Position.safeParse(parse(text));
  if (!parsed.success) throw new DomainError('request.invalid', { cause: parsed.error, detail: 'after: not a cursor' });
  return parsed.data;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}
