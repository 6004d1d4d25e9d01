/** One line of an import as a registration: CSV (RFC 4180, one record a line) or NDJSON. */
import { MAX_DEPTH, scanJson } from '@outrider/canonicalization';
import { DomainError, type ErrorCode } from '@outrider/errors';
import { parse } from 'csv-parse/sync';
import type { z } from 'zod';
import { Registration } from '../device/device.js';
import type { Line } from './line-splitter.js';

export const MAX_LINE_BYTES = 8192;

export type ImportFormat = 'csv' | 'ndjson';

export type ReadLine =
  | { readonly ok: true; readonly registration: Registration }
  | { readonly ok: false; readonly code: ErrorCode; readonly detail: string };

/** Columns whose field holds several values. */
const SEPARATOR = '|';
const LISTS: ReadonlySet<string> = new Set(['labels', 'grants']);
const COLUMNS: ReadonlySet<string> = new Set(Object.keys(Registration.shape));
const NEEDED = Object.entries(Registration.shape)
  .filter(([, schema]) => !schema.safeParse(undefined).success)
  .map(([name]) => name);

/** The columns that a CSV header names. Throws `request.invalid` for an unknown, repeated or missing one, `request.malformed` for no CSV. */
export function readHeader(line: Line): string[] {
  const fields = csvFields(text(line)).map((field) => field.trim());
  const unknown = fields.find((field) => !COLUMNS.has(field));
  if (unknown !== undefined) throw invalid(`there is no column ${JSON.stringify(unknown.slice(0, 64))}`);
  if (new Set(fields).size < fields.length) throw invalid('a column stands there twice');
  const missing = NEEDED.filter((name) => !fields.includes(name));
  if (missing.length > 0) throw invalid(`missing: ${missing.join(', ')}`);
  return fields;
}

/** @param columns of the header, for CSV. A line that cannot be meant is an answer, not an error: the others go on. */
export function readLine(line: Line, format: ImportFormat, columns: readonly string[]): ReadLine {
  try {
    const record = format === 'csv' ? csvRecord(csvFields(text(line)), columns) : jsonRecord(line);
    const parsed = Registration.safeParse(record);
    return parsed.success ? { ok: true, registration: parsed.data } : refused('request.invalid', misfits(parsed.error));
  } catch (error) {
    if (error instanceof DomainError) return refused(error.code, error.detail ?? error.title);
    throw error;
  }
}

function csvRecord(fields: readonly string[], columns: readonly string[]): Record<string, unknown> {
  if (fields.length !== columns.length) throw invalid(`${fields.length} fields for ${columns.length} columns`);
  // An empty field says nothing about the device.
  const given = columns.flatMap((name, i) => (fields[i] ? [[name, fields[i] as string] as const] : []));
  return Object.fromEntries(
    given.map(([name, value]) => [name, LISTS.has(name) ? value.split(SEPARATOR).map((one) => one.trim()) : value]),
  );
}

/** A record that goes on in the next line is refused: no value has a line end in it, and one open quote would swallow all that follows. */
function csvFields(record: string): string[] {
  if (!record.includes('"')) return record.split(',');
  try {
    const [fields, ...more] = parse(record, { relax_column_count: true, record_delimiter: '\n' }) as string[][];
    if (fields && more.length === 0) return fields;
  } catch (cause) {
    throw new DomainError('request.malformed', { cause, detail: 'the quotes are not those of CSV' });
  }
  throw new DomainError('request.malformed', { detail: 'not one CSV record' });
}

function jsonRecord(line: Line): unknown {
  const json = text(line);
  scanJson(line.bytes, { maxBytes: MAX_LINE_BYTES, maxDepth: MAX_DEPTH });
  return JSON.parse(json);
}

function text(line: Line): string {
  if (line.tooLong)
    throw new DomainError('request.too_large', { detail: `a line has at most ${MAX_LINE_BYTES} bytes` });
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line.bytes);
  } catch (cause) {
    throw new DomainError('request.malformed', { cause, detail: 'no UTF-8' });
  }
}

function misfits(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.join('.') || 'line'}: ${message}`)
    .join('; ');
}

function invalid(detail: string): DomainError {
  return new DomainError('request.invalid', { detail });
}

/** The detail may quote the line: PostgreSQL keeps no NUL and no half of a surrogate pair, and a terminal obeys the rest. */
function refused(code: ErrorCode, detail: string): ReadLine {
  return { ok: false, code, detail: detail.slice(0, 500).replace(/[\p{Cc}\p{Cs}]/gu, '\uFFFD') };
}
