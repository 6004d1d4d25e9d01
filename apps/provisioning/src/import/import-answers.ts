/** How imports look in answers. */
import { Instant, page } from '@outrider/contracts';
import { z } from 'zod';
import { ImportId, LINE_STATUSES } from './import.js';

export const DeviceImport = z
  .strictObject({
    import_id: ImportId,
    format: z.enum(['csv', 'ndjson']),
    state: z.enum(['running', 'complete', 'partial']),
    lines: z.int(),
    created: z.int(),
    existing: z.int(),
    conflicts: z.int(),
    invalid: z.int(),
    changed: z.int(),
    resume_from: z.int().describe('The line to go on with.'),
    created_by: z.string(),
    created_at: Instant,
    changed_at: Instant,
  })
  .meta({ id: 'DeviceImport' });

export const DeviceImportList = z
  .strictObject({ items: z.array(DeviceImport), next: z.null() })
  .meta({ id: 'DeviceImportList' });

export const ImportLinePage = page(
  z.strictObject({
    line: z.int(),
    status: z.enum(LINE_STATUSES),
    device_id: z.string().optional(),
    changed: z.literal(true).optional(),
    code: z.string().optional(),
    detail: z.string().optional(),
  }),
).meta({ id: 'ImportLinePage' });
