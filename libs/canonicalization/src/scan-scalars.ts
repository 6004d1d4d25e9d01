/** The grammar of JSON strings and numbers (RFC 8259 §6, §7), byte by byte, with what is refused besides: lone surrogates and unsafe numbers. */
import { DomainError } from '@outrider/errors';

export const QUOTE = 0x22;
export const MINUS = 0x2d;
export const ZERO = 0x30;
export const NINE = 0x39;
const BACKSLASH = 0x5c;
const DOT = 0x2e;
const PLUS = 0x2b;
const LETTER_U = 0x75;
/** `"\/bfnrt` */
const SHORT_ESCAPES = new Set([0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74]);
/** Integers of fewer characters cannot exceed 2^53-1. */
const SAFE_LENGTH = 15;

/**
 * The byte after the closing quote of the string that opens at `start`, negated when the string holds an escape.
 * @throws DomainError `request.malformed`
 */
export function scanString(bytes: Uint8Array, start: number): number {
  let escaped = false;
  let at = start + 1;
  for (;;) {
    const byte = bytes[at];
    if (byte === QUOTE) return escaped ? -(at + 1) : at + 1;
    if (byte === undefined) throw malformed('a string does not end', start);
    if (byte < 0x20) throw malformed('a control character stands in a string', at);
    if (byte === BACKSLASH) {
      escaped = true;
      at = scanEscape(bytes, at);
    } else at++;
  }
}

/** The byte after the escape, or after the pair of escapes that a surrogate needs. */
function scanEscape(bytes: Uint8Array, at: number): number {
  if (bytes[at + 1] !== LETTER_U) {
    if (!SHORT_ESCAPES.has(bytes[at + 1] ?? 0)) throw malformed('there is no such escape', at);
    return at + 2;
  }
  const unit = hex4(bytes, at + 2);
  if (unit < 0) throw malformed('a \\u escape needs four hex digits', at);
  if (unit < 0xd800 || unit > 0xdfff) return at + 6;
  const isPair = unit <= 0xdbff && bytes[at + 6] === BACKSLASH && bytes[at + 7] === LETTER_U;
  const low = isPair ? hex4(bytes, at + 8) : -1;
  if (low < 0xdc00 || low > 0xdfff) throw malformed('a string holds a lone surrogate', at);
  return at + 12;
}

/** The four hex digits' value, or -1. */
function hex4(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let index = at; index < at + 4; index++) {
    const digit = hexDigit(bytes[index] ?? 0);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

function hexDigit(byte: number): number {
  if (byte >= ZERO && byte <= NINE) return byte - ZERO;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/**
 * The byte after the number that begins at `start`.
 * @throws DomainError `request.malformed`: grammar, more than `maxLength` characters, an integer beyond ±(2^53-1), or an overflow to infinity
 */
export function scanNumber(text: Buffer, start: number, maxLength: number): number {
  let at = text[start] === MINUS ? start + 1 : start;
  const integerEnd = skipDigits(text, at);
  if (integerEnd === at) throw malformed('a number needs a digit', at);
  if (text[at] === ZERO && integerEnd > at + 1) throw malformed('a number begins with a superfluous zero', at);
  at = integerEnd;
  if (text[at] === DOT) at = someDigits(text, at + 1);
  if (((text[at] ?? 0) | 0x20) === 0x65) {
    const sign = text[at + 1];
    at = someDigits(text, sign === PLUS || sign === MINUS ? at + 2 : at + 1);
  }
  if (at - start > maxLength) throw malformed(`a number of more than ${maxLength} characters`, start);
  if (at - start > SAFE_LENGTH || at !== integerEnd) checkRange(text, start, at, at === integerEnd);
  return at;
}

function checkRange(text: Buffer, start: number, end: number, isInteger: boolean): void {
  const value = Number(text.toString('latin1', start, end));
  if (!Number.isFinite(value)) throw malformed('a number is too large for a double', start);
  if (isInteger && !Number.isSafeInteger(value)) throw malformed('an integer is beyond 2^53-1', start);
}

function someDigits(text: Buffer, at: number): number {
  const end = skipDigits(text, at);
  if (end === at) throw malformed('a number needs a digit', at);
  return end;
}

function skipDigits(text: Buffer, from: number): number {
  let at = from;
  while (text[at]! >= ZERO && text[at]! <= NINE) at++;
  return at;
}

/** `at`: byte offset in the scanned text. */
export function malformed(what: string, at: number): DomainError {
  return new DomainError('request.malformed', { detail: `${what} at byte ${at}` });
}
