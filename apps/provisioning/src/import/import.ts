/** Imports of devices as operators name, send and see them. */
import type { ErrorCode } from '@outrider/errors';
import { z } from 'zod';
import type { ImportFormat } from './registration-line.js';

/** Chosen by the client, so that it can send the same import again: `[a-z0-9][a-z0-9._-]{0,62}`. */
export const ImportId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/)
  .brand('ImportId');
export type ImportId = z.infer<typeof ImportId>;

export const LINE_STATUSES = ['created', 'existing', 'conflict', 'invalid'] as const;
export type LineStatus = (typeof LINE_STATUSES)[number];

/** What became of one line. */
export interface LineOutcome {
  readonly line: number;
  /** SHA-256 of the line, hex. */
  readonly sha256: string;
  readonly status: LineStatus;
  readonly deviceId?: string | undefined;
  readonly code?: ErrorCode | undefined;
  readonly detail?: string | undefined;
}

export interface Import {
  readonly importId: ImportId;
  readonly format: ImportFormat;
  /** Of CSV; null until it was read, and for NDJSON. */
  readonly header: readonly string[] | null;
  /** Came to its end at least once. */
  readonly complete: boolean;
  readonly running: boolean;
  readonly lastLine: number;
  readonly lines: number;
  readonly created: number;
  readonly existing: number;
  readonly conflicts: number;
  readonly invalid: number;
  /** Lines that were last sent with other content than they were handled with. */
  readonly changed: number;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly changedAt: Date;
}

/** Lines per media type of the body; undefined for any other. */
export function formatOf(mediaType: string): ImportFormat | undefined {
  if (mediaType === 'text/csv') return 'csv';
  return mediaType === 'application/x-ndjson' || mediaType === 'application/jsonl' ? 'ndjson' : undefined;
}

/** `resume_from`: the first line that nothing was done with yet. */
export function importDocument(one: Import) {
  return {
    import_id: one.importId,
    format: one.format,
    state: stateOf(one),
    lines: one.lines,
    created: one.created,
    existing: one.existing,
    conflicts: one.conflicts,
    invalid: one.invalid,
    changed: one.changed,
    resume_from: one.lastLine + 1,
    created_by: one.createdBy,
    created_at: one.createdAt.toISOString(),
    changed_at: one.changedAt.toISOString(),
  };
}

function stateOf({ running, complete }: Import): 'running' | 'complete' | 'partial' {
  if (running) return 'running';
  return complete ? 'complete' : 'partial';
}

export const LineQuery = z.strictObject({
  /** `failed`: conflicts, invalid ones and changed ones. */
  status: z.enum([...LINE_STATUSES, 'changed', 'failed']).optional(),
  after: z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});
export type LineQuery = z.infer<typeof LineQuery>;

export interface ReportedLine extends LineOutcome {
  readonly changed: boolean;
}

/** `changed`: last sent with other content than it was handled with; the rest says what it was handled as. */
export function lineDocument({ line, status, deviceId, code, detail, changed }: ReportedLine) {
  const outcome = { line, status, ...(deviceId ? { device_id: deviceId } : {}) };
  if (changed) return { ...outcome, changed, code: 'provisioning.import_line_changed' satisfies ErrorCode };
  return { ...outcome, ...(code ? { code } : {}), ...(detail ? { detail } : {}) };
}
