/** Reads the lines of a revocation job's file: one name each, as CSV under a header or as NDJSON. */
import { DomainError } from '@outrider/errors';
import { DeviceId, SerialNumber, Thumbprint } from '@outrider/ids';
import { z } from 'zod';
import type { LineFormat, LineKind } from './job.js';

export const MAX_LINE_BYTES = 1024;

/** A line as it is kept; `invalid`: its beginning, and why. */
export interface JobLine {
  readonly line: number;
  readonly kind: LineKind;
  readonly value: string;
  readonly detail?: string;
}

const SCHEMAS = { thumbprint: Thumbprint, serial: SerialNumber, device_id: DeviceId } as const;
type Column = keyof typeof SCHEMAS;
const COLUMNS = Object.keys(SCHEMAS) as Column[];
const KINDS: Readonly<Record<Column, LineKind>> = { thumbprint: 'thumbprint', serial: 'serial', device_id: 'device' };
const Members = z.record(z.string(), z.unknown());

/** Lines per media type of the body; undefined for any other. */
export function formatOf(mediaType: string): LineFormat | undefined {
  if (mediaType === 'text/csv') return 'csv';
  return mediaType === 'application/x-ndjson' || mediaType === 'application/jsonl' ? 'ndjson' : undefined;
}

/** Takes lines one after the other; empty ones and a CSV's header give nothing. Numbers are an editor's. */
export class JobLineReader {
  #columns: readonly string[] | undefined;

  constructor(private readonly format: LineFormat) {}

  /** @throws DomainError `request.invalid` for a CSV whose first line names no column that is known */
  read(line: number, text: string): JobLine | undefined {
    const trimmed = (line === 1 ? text.replace(/^\uFEFF/, '') : text).trim();
    if (trimmed === '') return undefined;
    if (Buffer.byteLength(trimmed) > MAX_LINE_BYTES)
      return invalid(line, trimmed, `longer than ${MAX_LINE_BYTES} bytes`);
    if (this.format === 'ndjson') return parseMembers(line, trimmed);
    if (!this.#columns) {
      this.#columns = header(trimmed);
      return undefined;
    }
    const fields = trimmed.split(',').map(unquoted);
    return named(line, trimmed, Object.fromEntries(this.#columns.map((column, i) => [column, fields[i] ?? ''])));
  }
}

function header(text: string): string[] {
  const columns = text.split(',').map((name) => unquoted(name).toLowerCase());
  if (columns.some((column) => (COLUMNS as string[]).includes(column))) return columns;
  throw new DomainError('request.invalid', {
    detail: `the first line of a CSV names its columns: one of ${COLUMNS.join(', ')} among them`,
  });
}

function unquoted(field: string): string {
  return field.trim().replace(/^"(.*)"$/, '$1');
}

function parseMembers(line: number, text: string): JobLine {
  try {
    return named(line, text, Members.parse(JSON.parse(text)));
  } catch {
    return invalid(line, text, 'no JSON object');
  }
}

/** Other columns are let pass: an export has them. A thumbprint names one certificate whatever stands beside it. */
function named(line: number, text: string, members: Readonly<Record<string, unknown>>): JobLine {
  const given = COLUMNS.filter((column) => members[column] !== undefined && members[column] !== '');
  const chosen = given.includes('thumbprint') ? 'thumbprint' : given.length === 1 ? given[0] : undefined;
  if (!chosen) return invalid(line, text, given.length === 0 ? 'names nothing' : 'names more than one thing');
  const parsed = SCHEMAS[chosen].safeParse(members[chosen]);
  if (!parsed.success) return invalid(line, text, `no ${chosen}`);
  return { line, kind: KINDS[chosen], value: parsed.data };
}

function invalid(line: number, text: string, detail: string): JobLine {
  return { line, kind: 'invalid', value: text.slice(0, 80), detail };
}
