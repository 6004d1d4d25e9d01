/** Values of DER elements: typed accessors over what `readDer` returned; a wrong tag or value is `x509.malformed`. */
import { type DerNode, malformed, TAG } from './der-read.js';

export function expectTag(node: DerNode | undefined, tag: number, what: string): DerNode {
  if (node === undefined) throw malformed(`${what} is missing`);
  if (node.tag !== tag) throw malformed(`${what} has tag 0x${node.tag.toString(16)}, not 0x${tag.toString(16)}`);
  return node;
}

export function sequenceOf(node: DerNode | undefined, what: string): readonly DerNode[] {
  return expectTag(node, TAG.sequence, what).children;
}

export function booleanOf(node: DerNode, what: string): boolean {
  return expectTag(node, TAG.boolean, what).content[0] === 0xff;
}

/** A non-negative INTEGER or ENUMERATED that fits in 31 bits. */
export function smallIntegerOf(node: DerNode | undefined, what: string, tag: number = TAG.integer): number {
  const { content } = expectTag(node, tag, what);
  if (content.length > 4 || (content[0] ?? 0x80) >= 0x80) throw malformed(`${what} is out of range`);
  return content.reduce((value, byte) => value * 256 + byte, 0);
}

/** The content of a BIT STRING of whole bytes. */
export function bitStringBytes(node: DerNode | undefined, what: string): Uint8Array {
  const { content } = expectTag(node, TAG.bitString, what);
  if (content[0] !== 0) throw malformed(`${what} is not whole bytes`);
  return content.subarray(1);
}

/** Dotted form; arcs of any size (2.25 holds 128-bit ones). */
export function oidOf(node: DerNode | undefined, what: string): string {
  return oidText(expectTag(node, TAG.oid, what).content);
}

/** Those read before, by their bytes: the first ones stay, so that what a peer makes up drives none of them out. */
const TEXTS_MAX = 256;
const texts = new Map<string, string>();

export function oidText(content: Uint8Array): string {
  const bytes = latin1(content);
  const known = texts.get(bytes);
  if (known !== undefined) return known;
  const text = decodeIdentifier(content);
  if (texts.size < TEXTS_MAX) texts.set(bytes, text);
  return text;
}

function decodeIdentifier(content: Uint8Array): string {
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const byte of content) {
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    if (byte < 0x80) {
      arcs.push(arc);
      arc = 0n;
    }
  }
  const [first = 0n, ...rest] = arcs;
  const root = first < 40n ? 0n : first < 80n ? 1n : 2n;
  return [root, first - root * 40n, ...rest].join('.');
}

const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/** UTCTime or GeneralizedTime in the only forms of RFC 5280 §4.1.2.5: seconds, `Z`, no fraction. */
export function timeOf(node: DerNode | undefined, what: string): Date {
  if (node === undefined) throw malformed(`${what} is missing`);
  const text = latin1(node.content);
  if (node.tag === TAG.utcTime) {
    const parts = UTC_TIME.exec(text);
    if (!parts) throw malformed(`${what} is no UTCTime of RFC 5280`);
    const year = Number(parts[1]);
    return dateOf(year < 50 ? 2000 + year : 1900 + year, parts, what);
  }
  expectTag(node, TAG.generalizedTime, what);
  const parts = GENERALIZED_TIME.exec(text);
  if (!parts) throw malformed(`${what} is no GeneralizedTime of RFC 5280`);
  return dateOf(Number(parts[1]), parts, what);
}

function dateOf(year: number, parts: RegExpExecArray, what: string): Date {
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(2).map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const same =
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  if (!same) throw malformed(`${what} is no date`);
  return date;
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** Characters 0x20 to 0x7e only, as every IA5String we act on must be. */
export function asciiOf(content: Uint8Array, what: string): string {
  const text = latin1(content);
  if (!/^[\x20-\x7e]*$/.test(text)) throw malformed(`${what} holds characters outside ASCII`);
  return text;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
