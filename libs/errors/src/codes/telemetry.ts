/** Signed telemetry. */
import type { CodeTable } from '../code-entry.js';

export const TELEMETRY_CODES = {
  'telemetry.bad_signature': { status: 422, title: 'The signature does not verify.', retry: 'never' },
  'telemetry.wrong_device': { status: 403, title: "The message is not this device's.", retry: 'never' },
  'telemetry.invalid': { status: 400, title: 'The message does not fit its schema.', retry: 'never' },
  'telemetry.replayed': { status: 409, title: 'This sequence number was used by another record.', retry: 'never' },
  'telemetry.too_old': { status: 409, title: 'The sequence number is below the window.', retry: 'never' },
  'telemetry.skewed': { status: 422, title: "The timestamp is too far from the platform's clock.", retry: 'never' },
  'telemetry.stale_epoch': { status: 409, title: 'The epoch is over.', retry: 'changed' },
  'telemetry.epoch_refused': { status: 409, title: 'The epoch may not be raised so.', retry: 'later' },
  'telemetry.jump': { status: 422, title: 'The sequence number is beyond the hard limit.', retry: 'changed' },
  'telemetry.unknown_kid': { status: 422, title: 'The signing certificate is not known yet.', retry: 'later' },
  'telemetry.too_many_streams': { status: 409, title: 'The device has too many streams.', retry: 'changed' },
} as const satisfies CodeTable;
