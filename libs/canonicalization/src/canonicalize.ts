/** The one byte form of a JSON value that is signed and hashed: the JSON Canonicalization Scheme, RFC 8785. */
import { DomainError } from '@outrider/errors';

/** Deeper values are refused: recursion stays bounded, cycles end. */
export const MAX_DEPTH = 512;

/** Longer strings are JSON.stringify's, which is quicker there. */
const MAX_PLAIN = 64;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * RFC 8785 text of a plain JSON value: members sorted by UTF-16 code units, ECMAScript number and string forms, no white space.
 * @throws DomainError `request.malformed` for what JSON cannot hold (NaN, Infinity, undefined, bigint, functions, instances of classes,
 * lone surrogates), for cycles and for nesting beyond 512.
 */
export function canonicalize(value: unknown): string {
  return write(value, 0);
}

function write(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) throw refused(`nested deeper than ${MAX_DEPTH}, or a cycle`);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return writeString(value);
  if (typeof value === 'number') return writeNumber(value);
  if (Array.isArray(value)) return writeArray(value, depth);
  if (isPlainObject(value)) return writeObject(value, depth);
  throw refused(`a ${typeof value} is no JSON value`);
}

/** A hole is undefined, and refused as that. */
function writeArray(value: readonly unknown[], depth: number): string {
  let text = '[';
  for (let index = 0; index < value.length; index++) text += (index === 0 ? '' : ',') + write(value[index], depth + 1);
  return `${text}]`;
}

/** The default sort compares UTF-16 code units, as RFC 8785 §3.2.3 asks. What was canonical when it was sent is in order already. */
function writeObject(value: Record<string, unknown>, depth: number): string {
  const names = Object.keys(value);
  if (!areSorted(names)) names.sort();
  let text = '{';
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!;
    text += `${(index === 0 ? '' : ',') + writeString(name)}:${write(value[name], depth + 1)}`;
  }
  return `${text}}`;
}

function areSorted(names: readonly string[]): boolean {
  for (let index = 1; index < names.length; index++) if (names[index - 1]! > names[index]!) return false;
  return true;
}

/** JSON.stringify escapes exactly as RFC 8785 §3.2.2.2 asks once lone surrogates are out of the way. Short plain text needs neither. */
function writeString(value: string): string {
  if (isPlain(value)) return `"${value}"`;
  if (!value.isWellFormed()) throw refused('a string holds a lone surrogate');
  return JSON.stringify(value);
}

function isPlain(value: string): boolean {
  if (value.length > MAX_PLAIN) return false;
  for (let index = 0; index < value.length; index++) {
    const unit = value.charCodeAt(index);
    if (unit < 0x20 || unit > 0x7e || unit === QUOTE || unit === BACKSLASH) return false;
  }
  return true;
}

/** String() is the algorithm that RFC 8785 §3.2.2.3 refers to; -0 becomes 0. */
function writeNumber(value: number): string {
  if (!Number.isFinite(value)) throw refused('a number is not finite');
  return String(value);
}

/** A literal, or what JSON.parse makes. Told by the prototype's prototype, so that objects of another realm count too. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function refused(detail: string): DomainError {
  return new DomainError('request.malformed', { detail });
}
