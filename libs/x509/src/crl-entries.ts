/** The entries of a CRL (RFC 5280 §5.1.2.6, §5.3) as they lie one behind the other: written in parts, and read as strictly as whoever signs them has to. */
import type { SerialNumber } from '@outrider/ids';
import { malformed, TAG } from './der-read.js';
import { latin1, timeOf } from './der-values.js';
import { time } from './der-write.js';

/** CRLReason of RFC 5280 §5.3.1, by number (7 is unused). */
export const CRL_REASONS = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  removeFromCRL: 8,
  privilegeWithdrawn: 9,
  aACompromise: 10,
} as const;
export type CrlReason = keyof typeof CRL_REASONS;

export interface RevokedEntry {
  readonly serialNumber: SerialNumber;
  readonly revokedAt: Date;
  /** `unspecified` is written as no reason at all, as §5.3.1 asks. */
  readonly reason?: CrlReason | undefined;
}

/** SEQUENCE { OID reasonCode, OCTET STRING { ENUMERATED } } in the SEQUENCE of entry extensions; the code itself follows. */
const REASON = Buffer.from('300c300a0603551d1504030a01', 'hex');
const REASONS = new Set<number>(Object.values(CRL_REASONS));
/** SEQUENCE, INTEGER of 20 octets, GeneralizedTime, one extension. */
const ENTRY_BYTES_MAX = 2 + 22 + 17 + REASON.length + 1;
const SERIAL_OCTETS_MAX = 20;

/** Whether a certificate can have it: at most 20 octets with the sign (§4.1.2.2), none of them padding. No list can name another. */
export function isListable(serialNumber: SerialNumber): boolean {
  if (serialNumber.length > 2 && serialNumber.startsWith('00')) return false;
  return serialNumber.length < 2 * SERIAL_OCTETS_MAX || serialNumber < '8';
}

/** DER of the entries, one behind the other; those that are not listable are left out. */
export function encodeCrlEntries(entries: readonly RevokedEntry[]): { der: Uint8Array; count: number } {
  const out = Buffer.allocUnsafe(entries.length * ENTRY_BYTES_MAX);
  const times = new TimeCache();
  let at = 0;
  let count = 0;
  for (const { serialNumber, revokedAt, reason = 'unspecified' } of entries) {
    if (!isListable(serialNumber)) continue;
    const start = at;
    at = writeSerial(out, start + 2, serialNumber);
    const stamp = times.of(revokedAt);
    out.set(stamp, at);
    at += stamp.length;
    if (reason !== 'unspecified') {
      out.set(REASON, at);
      at += REASON.length;
      out[at++] = CRL_REASONS[reason];
    }
    out[start] = TAG.sequence;
    out[start + 1] = at - start - 2;
    count += 1;
  }
  return { der: Buffer.from(out.subarray(0, at)), count };
}

function writeSerial(out: Buffer, at: number, serialNumber: SerialNumber): number {
  const octets = serialNumber.length / 2;
  const sign = serialNumber >= '8' ? 1 : 0;
  out[at] = TAG.integer;
  out[at + 1] = octets + sign;
  if (sign === 1) out[at + 2] = 0;
  out.write(serialNumber, at + 2 + sign, 'hex');
  return at + 2 + sign + octets;
}

/** Many certificates are revoked in one second. */
class TimeCache {
  private second = Number.NaN;
  private der: Uint8Array = new Uint8Array();

  of(date: Date): Uint8Array {
    const second = Math.floor(date.getTime() / 1000);
    if (second !== this.second) {
      this.der = time(date);
      this.second = second;
    }
    return this.der;
  }
}

export interface CrlEntryRules {
  /** No entry is of before or after. */
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Whether an entry may take a certificate off again: in a delta alone (§5.3.1). */
  readonly mayRemove: boolean;
}

/** What was read so far: how many, and the last serial number, which the next one is above. */
export interface CrlEntriesRead {
  readonly count: number;
  /** Magnitude, big-endian, without a sign octet. */
  readonly lastSerial: Uint8Array;
}

export const NO_ENTRIES_READ: CrlEntriesRead = { count: 0, lastSerial: new Uint8Array() };

/**
 * Reads whole entries, each in the one form in which `encodeCrlEntries` writes it: serial number, date, and no extension but a reason
 * other than `unspecified`. Serial numbers ascend strictly, as octets compare, from one part to the next.
 * @throws DomainError `x509.malformed`
 */
export function readCrlEntries(part: Uint8Array, before: CrlEntriesRead, rules: CrlEntryRules): CrlEntriesRead {
  const bytes = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
  const dates = new DateCheck(rules);
  let { count, lastSerial } = before;
  for (let at = 0; at < bytes.length; count += 1) {
    const end = endOf(bytes, at);
    const dateAt = afterSerial(bytes, at + 2, end);
    const serial = magnitude(bytes.subarray(at + 4, dateAt));
    if (Buffer.compare(lastSerial, serial) >= 0) throw malformed('serial numbers of a CRL that do not ascend');
    const reasonAt = dates.after(bytes, dateAt, end);
    if (reasonAt !== end) checkReason(bytes, reasonAt, end, rules.mayRemove);
    lastSerial = serial;
    at = end;
  }
  return { count, lastSerial };
}

function endOf(bytes: Buffer, at: number): number {
  const length = bytes[at + 1] ?? 0x80;
  if (bytes[at] !== TAG.sequence || length >= 0x80) throw malformed('a CRL entry is a short SEQUENCE');
  const end = at + 2 + length;
  if (end > bytes.length) throw malformed('a CRL entry is cut short');
  return end;
}

/** Where the serial number at `at` ends: a positive INTEGER of at most 20 octets, none of them padding. */
function afterSerial(bytes: Buffer, at: number, end: number): number {
  const length = bytes[at + 1] ?? 0;
  const [first = 0x80, second = 0] = [bytes[at + 2], bytes[at + 3]];
  const padded = length > 1 && first === 0 && second < 0x80;
  if (bytes[at] !== TAG.integer || length === 0 || length > SERIAL_OCTETS_MAX || first >= 0x80 || padded) {
    throw malformed('a CRL entry without a serial number');
  }
  if (at + 2 + length > end) throw malformed('a CRL entry is cut short');
  return at + 2 + length;
}

function magnitude(content: Uint8Array): Uint8Array {
  return content.length > 1 && content[0] === 0 ? content.subarray(1) : content;
}

/** Checks the date of an entry; the same date as in the entry before has been. */
class DateCheck {
  private known: Buffer | undefined;

  constructor(private readonly rules: CrlEntryRules) {}

  after(bytes: Buffer, at: number, end: number): number {
    const { known } = this;
    if (known && known.length <= end - at && bytes.compare(known, 0, known.length, at, at + known.length) === 0) {
      return at + known.length;
    }
    const length = bytes[at + 1] ?? 0;
    if (at + 2 + length > end) throw malformed('a CRL entry is cut short');
    const der = bytes.subarray(at, at + 2 + length);
    const date = timeOf({ tag: der[0] ?? 0, der, content: der.subarray(2), children: [] }, 'revocationDate');
    if (latin1(time(date)) !== latin1(der)) throw malformed('a revocation date in the form of other years');
    if (date < this.rules.notBefore || date > this.rules.notAfter) {
      throw malformed(`a revocation date that cannot be: ${date.toISOString()}`);
    }
    this.known = der;
    return at + der.length;
  }
}

function checkReason(bytes: Buffer, at: number, end: number, mayRemove: boolean): void {
  const code = bytes[end - 1] ?? 0;
  const isReason = end - at === REASON.length + 1 && bytes.compare(REASON, 0, REASON.length, at, end - 1) === 0;
  if (!isReason || code === CRL_REASONS.unspecified || !REASONS.has(code)) {
    throw malformed('a CRL entry with something other than a reason');
  }
  if (code === CRL_REASONS.removeFromCRL && !mayRemove) throw malformed('removeFromCRL in a full list');
}
