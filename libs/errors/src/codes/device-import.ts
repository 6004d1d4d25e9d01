/** Bulk imports of devices. */
import type { CodeTable } from '../code-entry.js';

export const DEVICE_IMPORT_CODES = {
  'provisioning.import_not_found': { status: 404, title: 'There is no such import, or no longer.', retry: 'never' },
  'provisioning.import_running': { status: 409, title: 'This import is being sent already.', retry: 'later' },
  'provisioning.import_conflict': {
    status: 409,
    title: 'The import was begun with another format or other columns.',
    retry: 'changed',
  },
  'provisioning.import_line_changed': {
    status: 409,
    title: 'The line was handled before with other content; nothing was done.',
    retry: 'changed',
  },
} as const satisfies CodeTable;
