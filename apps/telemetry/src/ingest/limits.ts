/** What a body and the messages in it are bounded by. */
import type { ScanLimits } from '@outrider/canonicalization';

/** Of one body. */
export const MAX_BODY_BYTES = 1_048_576;
/** Of one body; each record of a signed batch counts. */
export const MAX_RECORDS = 1_000;
/** Of one record's payload, as sent and as JSON: an accepted record must fit an event of NATS (1 MiB), where JSON text may double in a string. */
export const MAX_PAYLOAD_BYTES = 262_144;

/** JSON and CBOR alike. */
export const LIMITS = { maxBytes: MAX_BODY_BYTES, maxDepth: 32 } as const satisfies ScanLimits;
