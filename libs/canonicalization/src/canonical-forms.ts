/** The byte forms of scanned JSON that a signer may have signed: JCS first, then the token-preserving forms of encoders that print numbers or escapes otherwise. */
import { canonicalize } from './canonicalize.js';
import type { JsonMember, JsonNode } from './json-node.js';

/** How names are compared: by UTF-16 code unit (RFC 8785, Java, C#) or by code point (Python, Go, Rust). */
export type KeyOrder = 'utf-16' | 'code-point';

/** JCS bytes (RFC 8785) of a scanned value. */
export function jcsOfSlice(node: JsonNode): Buffer {
  return Buffer.from(canonicalize(node.value()), 'utf8');
}

/**
 * Members sorted by their unescaped names, white space between tokens removed, every number, string and name token exactly as sent.
 * With the order `code-point` this is what Python's `json.dumps(value, separators=(',', ':'), sort_keys=True)` gives. The two orders differ
 * only where a name with a character of U+E000 to U+FFFF meets one beyond U+FFFF.
 */
export function tokenPreservingCanonical(node: JsonNode, order: KeyOrder = 'code-point'): Buffer {
  const parts: Uint8Array[] = [];
  writeTokens(node, order === 'utf-16' ? byCodeUnit : byCodePoint, parts);
  return Buffer.concat(parts);
}

/**
 * The distinct forms to try a signature against, most likely first, each made only when it is asked for: JCS, token-preserving by code
 * point, token-preserving by code unit. One or two for nearly every message, never more than three. All are JSON of the same value, so a
 * signature over any of them says the same; digests for deduplication are taken over JCS alone.
 * @param jcs of the node, where it is there already
 */
export function* signedForms(node: JsonNode, jcs = jcsOfSlice(node)): Generator<Buffer, void, undefined> {
  yield jcs;
  const byPoint = tokenPreservingCanonical(node, 'code-point');
  if (!byPoint.equals(jcs)) yield byPoint;
  const byUnit = tokenPreservingCanonical(node, 'utf-16');
  if (!byUnit.equals(jcs) && !byUnit.equals(byPoint)) yield byUnit;
}

type Comparison = (left: JsonMember, right: JsonMember) => number;

const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY, COMMA, COLON] = [...'{}[],:'].map((sign) =>
  Buffer.from(sign),
);

/** Recursion is bounded by the depth that the scan allowed. */
function writeTokens(node: JsonNode, compare: Comparison, parts: Uint8Array[]): void {
  if (node.kind === 'object') {
    const members = node.members().sort(compare);
    parts.push(OPEN_OBJECT!);
    for (const [index, member] of members.entries()) {
      if (index > 0) parts.push(COMMA!);
      parts.push(member.nameToken, COLON!);
      writeTokens(member.value, compare, parts);
    }
    parts.push(CLOSE_OBJECT!);
  } else if (node.kind === 'array') {
    parts.push(OPEN_ARRAY!);
    for (const [index, element] of node.elements().entries()) {
      if (index > 0) parts.push(COMMA!);
      writeTokens(element, compare, parts);
    }
    parts.push(CLOSE_ARRAY!);
  } else parts.push(node.raw);
}

/** Names of one object are distinct: never 0. */
function byCodeUnit(left: JsonMember, right: JsonMember): number {
  return left.name < right.name ? -1 : 1;
}

/** Surrogates come after U+FFFF, as the code points that they stand for do. */
function byCodePoint(left: JsonMember, right: JsonMember): number {
  const length = Math.min(left.name.length, right.name.length);
  for (let index = 0; index < length; index++) {
    const difference = rank(left.name.charCodeAt(index)) - rank(right.name.charCodeAt(index));
    if (difference !== 0) return difference;
  }
  return left.name.length - right.name.length;
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
