/** DER writing: the few types that our certificates, requests, CRLs and CMS need. */
import { TAG } from './der-read.js';

/** One element from its identifier octet and the parts of its content. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const octets = lengthOctets(length);
  const out = new Uint8Array(1 + octets.length + length);
  out[0] = tag;
  out.set(octets, 1);
  let offset = 1 + octets.length;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/** Identifier and length octets of an element whose content follows elsewhere. */
export const header = (tag: number, length: number): Uint8Array => Uint8Array.of(tag, ...lengthOctets(length));

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [0x80 | octets.length, ...octets];
}

export const sequence = (...parts: readonly Uint8Array[]): Uint8Array => element(TAG.sequence, ...parts);
export const octetString = (content: Uint8Array): Uint8Array => element(TAG.octetString, content);
export const bitString = (content: Uint8Array, unusedBits = 0): Uint8Array =>
  element(TAG.bitString, Uint8Array.of(unusedBits), content);
export const derNull = (): Uint8Array => element(TAG.null);
export const derTrue = (): Uint8Array => element(TAG.boolean, Uint8Array.of(0xff));
export const utf8String = (text: string): Uint8Array => element(TAG.utf8String, Buffer.from(text, 'utf8'));
export const printableString = (text: string): Uint8Array => element(TAG.printableString, Buffer.from(text, 'latin1'));

/** `[n]` around a whole element (EXPLICIT), or a constructed IMPLICIT one given its content. */
export const contextConstructed = (n: number, ...parts: readonly Uint8Array[]): Uint8Array =>
  element(0xa0 | n, ...parts);
/** `[n]` IMPLICIT over primitive content. */
export const contextPrimitive = (n: number, content: Uint8Array): Uint8Array => element(0x80 | n, content);

/** SET OF, its members in ascending order of their encodings (X.690 §11.6). */
export function setOf(members: readonly Uint8Array[]): Uint8Array {
  return element(TAG.set, ...[...members].sort(Buffer.compare));
}

/** A non-negative INTEGER from its big-endian magnitude. */
export function unsignedInteger(magnitude: Uint8Array, tag: number = TAG.integer): Uint8Array {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const trimmed = magnitude.subarray(start);
  if (trimmed.length === 0) return element(tag, Uint8Array.of(0));
  return (trimmed[0] ?? 0) >= 0x80 ? element(tag, Uint8Array.of(0), trimmed) : element(tag, trimmed);
}

export function integer(value: number | bigint, tag: number = TAG.integer): Uint8Array {
  const digits = value.toString(16);
  return unsignedInteger(Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex'), tag);
}

/** The few identifiers that every certificate holds, encoded once. */
const IDENTIFIERS_MAX = 256;
const identifiers = new Map<string, Uint8Array>();

export function objectIdentifier(dotted: string): Uint8Array {
  const known = identifiers.get(dotted);
  if (known) return known;
  const encoded = encodeIdentifier(dotted);
  if (identifiers.size < IDENTIFIERS_MAX) identifiers.set(dotted, encoded);
  return encoded;
}

function encodeIdentifier(dotted: string): Uint8Array {
  const [root = 0n, second = 0n, ...rest] = dotted.split('.').map(BigInt);
  const octets = [root * 40n + second, ...rest].flatMap(base128);
  return element(TAG.oid, Uint8Array.from(octets));
}

function base128(arc: bigint): number[] {
  const octets = [Number(arc & 0x7fn)];
  for (let rest = arc >> 7n; rest > 0n; rest >>= 7n) octets.unshift(Number(rest & 0x7fn) | 0x80);
  return octets;
}

/** RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050; milliseconds are dropped. */
export function time(date: Date): Uint8Array {
  const text = generalizedText(date);
  const year = date.getUTCFullYear();
  return year >= 1950 && year < 2050
    ? element(TAG.utcTime, Buffer.from(text.slice(2), 'latin1'))
    : element(TAG.generalizedTime, Buffer.from(text, 'latin1'));
}

/** Whatever the year, as OCSP has its times (RFC 6960 §4.2.2.1). */
export function generalizedTime(date: Date): Uint8Array {
  return element(TAG.generalizedTime, Buffer.from(generalizedText(date), 'latin1'));
}

function generalizedText(date: Date): string {
  return `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
}
