/** The one byte form of a JSON value that is signed and hashed: the JSON Canonicalization Scheme, RFC 8785. */
import { DomainError } from '@outrider/errors';

/** Deeper values are refused: recursion stays bounded, cycles end. */
export const MAX_DEPTH = 512;

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
  if (Array.isArray(value)) return `[${Array.from(value, (element) => write(element, depth + 1)).join(',')}]`;
  if (isPlainObject(value)) return writeObject(value, depth);
  throw refused(`a ${typeof value} is no JSON value`);
}

/** The default sort compares UTF-16 code units, as RFC 8785 §3.2.3 asks. */
function writeObject(value: Record<string, unknown>, depth: number): string {
  const members = Object.keys(value)
    .sort()
    .map((name) => `${writeString(name)}:${write(value[name], depth + 1)}`);
  return `{${members.join(',')}}`;
}

/** JSON.stringify escapes exactly as RFC 8785 §3.2.2.2 asks once lone surrogates are out of the way. */
function writeString(value: string): string {
  if (!value.isWellFormed()) throw refused('a string holds a lone surrogate');
  return JSON.stringify(value);
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
